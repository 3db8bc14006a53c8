/** Questions of our own to the Docker Engine; called by {@code ports} and {@code names}, knows neither. */
@NullMarked
package dev.longshore.engine.client;

import org.jspecify.annotations.NullMarked;
