/**
 * Every setting with its names, range and default; the files they come from and the changes to them; and the places of an
 * instance on disk. Knows nothing of those who obey the settings.
 */
@NullMarked
package dev.longshore.config;

import org.jspecify.annotations.NullMarked;
