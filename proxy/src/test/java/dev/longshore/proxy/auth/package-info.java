/** Tests of authentication to upstream proxies. */
@NullMarked
package dev.longshore.proxy.auth;

import org.jspecify.annotations.NullMarked;
