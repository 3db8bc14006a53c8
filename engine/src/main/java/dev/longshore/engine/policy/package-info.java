/**
 * What has to be decided about a request before the Engine sees it. {@link dev.longshore.engine.policy.ApiPolicy} is the
 * interface for that; {@link dev.longshore.engine.policy.ApiGate} asks all of them and is what a connection calls.
 *
 * <p>Rules are about requests as the Engine understands them: routes as its router matches them, JSON as Go reads it.
 * Must not know channels or event loops.
 */
@NullMarked
package dev.longshore.engine.policy;

import org.jspecify.annotations.NullMarked;
