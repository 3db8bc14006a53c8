/**
 * Raw bytes in, raw bytes out. What a forward proxy has to do, and the tests that have it:
 *
 * <ol>
 *   <li>forms of the request target: {@code ForwardingTest#get_…}, {@code #optionsWithoutAPath_…}, {@code #ownPage_…},
 *       {@code UpstreamTest#optionsAsterisk_…}, {@code PeerMatrixTest#httpsInAbsoluteForm_…}, {@code ConnectTest}
 *   <li>Host: {@code PeerMatrixTest#hostField_isTheTargets}, {@code RequestGateTest}
 *   <li>fields of one hop: {@code ForwardingTest#hopByHopFields_…}, {@code ResponsesTest#endToEndField_canNotBeNamedAway},
 *       {@code PeerMatrixTest#proxyAuthorization_…}, {@code UpstreamAuthTest#guestsOwnAuthorization_…}
 *   <li>Via, loops, Max-Forwards: {@code PeerMatrixTest#via_…}, {@code RequestGateTest} (508), {@code ForwardingTest#maxForwards…}
 *   <li>bodies and trailers: {@code ForwardingTest#chunkedBody_…}, {@code #trailerThatWouldChangeTheMessage_…}, {@code FramingPropertyTest}
 *   <li>interim responses: {@code ForwardingTest#interimResponses_…}, {@code #http10_…}, {@code ResponsesTest#expectationFailed_…}
 *   <li>other protocols: {@code ForwardingTest#upgrade_…}, {@code PeerMatrixTest#webSocket_…}, {@code UpstreamTest#upgrade_…}
 *   <li>tunnels: {@code ConnectTest}, {@code UpstreamTest#connect_…}, {@code #refusedTunnel_…}
 *   <li>half-closed connections and resets: {@code ConnectTest#halfClose_…}, {@code LoopbackTest#tunnel_…}, {@code #resetOfATunnel_…}
 *   <li>connections that are kept: {@code ForwardingTest#secondRequest_…}, {@code #doubtfulResponse_…}, {@code #keptConnectionGone_…},
 *       {@code ResponsesTest#bytesBehindTheResponse_…}, {@code IdleOriginsTest}, {@code UpstreamAuthTest#twoUsersOfOneProxy_…}
 *   <li>pipelining: {@code ForwardingTest#pipelinedRequests_…}, {@code FramingPropertyTest}
 *   <li>limits: {@code RequestGateTest} (414, 431), {@code ResponsesTest#tooLargeAHeader_…}
 *   <li>times: {@code ForwardingTest#slowHead_…}, {@code #idleConnection_…}
 *   <li>back-pressure: {@code LoopbackTest#originThatDoesNotRead_…}, {@code #guestThatDoesNotRead_…}, {@code WaitingBytesTest}
 *   <li>errors: {@code ForwardingTest#dialErrors_…}, {@code PeerMatrixTest#originThatIsDead_…}, {@code UpstreamTest#blockedRoute_…}
 *   <li>leniency: {@code ForwardingTest#lenientResponses_…}, {@code PeerMatrixTest#bareLineFeeds_inAResponse_…},
 *       {@code #lengthAndTransferCoding_inAResponse_…}, {@code ResponsesTest#http10ThatKeepsAlive_…}
 *   <li>HTTP/2 within tunnels: {@code intercept.TransparentDialerTest#http2WithPriorKnowledge_…}
 * </ol>
 */
@NullMarked
package dev.longshore.proxy;

import org.jspecify.annotations.NullMarked;
