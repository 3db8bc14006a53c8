/**
 * The Docker Engine as the host sees it: its API on a Unix socket, and whether it answers.
 *
 * <p>{@link dev.longshore.engine.Engine} is what the backend starts. The Engine itself runs in the guest and is reached
 * through an {@link dev.longshore.engine.EngineDialer}: how a stream gets into the guest must not be known here. Requests are
 * understood and judged on their way ({@link dev.longshore.engine.policy}), answers are watched; neither is changed without need.
 */
@NullMarked
package dev.longshore.engine;

import org.jspecify.annotations.NullMarked;
