@NullMarked
package dev.longshore.proxy.route;

import org.jspecify.annotations.NullMarked;
