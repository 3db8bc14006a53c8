/**
 * Puts the settings, the system's configuration and scripts together to a {@link dev.longshore.proxy.route.Router} that follows
 * their changes. Called by whoever owns a guest's network; connects nothing.
 */
@NullMarked
package dev.longshore.proxy.choice;

import org.jspecify.annotations.NullMarked;
