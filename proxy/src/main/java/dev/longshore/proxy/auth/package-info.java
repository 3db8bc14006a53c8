/**
 * Who we are to an upstream proxy, and how it is told: credentials, and the schemes Basic (RFC 7617), Digest (RFC 7616), NTLM
 * (MS-NLMP) and Negotiate (RFC 4559). Opens no connection; {@code upstream} calls it. Nothing here prints a secret.
 */
@NullMarked
package dev.longshore.proxy.auth;

import org.jspecify.annotations.NullMarked;
