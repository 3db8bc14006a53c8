/** What running containers have mounted of the guest's files, as the Engine tells whoever follows its events. */
@NullMarked
package dev.longshore.engine.mounts;

import org.jspecify.annotations.NullMarked;
