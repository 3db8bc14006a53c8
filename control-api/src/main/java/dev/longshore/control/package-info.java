/**
 * gRPC on the control socket: requests become calls of {@link dev.longshore.control.Daemon},
 * {@link dev.longshore.control.Ports}, {@link dev.longshore.control.Events} and so on; their results become replies
 * ({@code Replies}) and status codes ({@code StatusCodes}). No logic, and no knowledge of how a part works.
 */
@NullMarked
package dev.longshore.control;

import org.jspecify.annotations.NullMarked;
