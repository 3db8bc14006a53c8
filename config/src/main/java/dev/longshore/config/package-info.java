/** Every setting as an immutable record with its default, range and check; no I/O except reading the settings file. */
@NullMarked
package dev.longshore.config;

import org.jspecify.annotations.NullMarked;
