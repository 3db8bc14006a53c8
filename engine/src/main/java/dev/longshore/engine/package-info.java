/**
 * The Docker Engine as the host sees it: its API on a Unix socket, and whether it answers.
 *
 * <p>{@link dev.longshore.engine.Engine} is what the backend starts. The Engine itself runs in the guest and is reached
 * through an {@link dev.longshore.engine.EngineDialer}: how a stream gets into the guest must not be known here. The API's
 * bytes are relayed as they are.
 */
@NullMarked
package dev.longshore.engine;

import org.jspecify.annotations.NullMarked;
