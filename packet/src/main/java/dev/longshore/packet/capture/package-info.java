/**
 * Looking at a link while it runs: a filter, what it lets through kept for a reader on another thread, the pcapng format,
 * and frames as lines of text.
 *
 * <p>Used by whoever taps a link and by whoever shows what was tapped; knows neither. The filter's language is a subset of
 * pcap-filter(7).
 */
@NullMarked
package dev.longshore.packet.capture;

import org.jspecify.annotations.NullMarked;
