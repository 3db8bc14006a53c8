/**
 * What proxies the host's system is set to use: its environment and its desktops. Each reader is a function of text to
 * {@link dev.longshore.proxy.route.ProxyConfig}; {@link dev.longshore.proxy.system.SystemProxies} finds out which of them counts, and
 * follows it. Knows nothing of our own settings.
 */
@NullMarked
package dev.longshore.proxy.system;

import org.jspecify.annotations.NullMarked;
