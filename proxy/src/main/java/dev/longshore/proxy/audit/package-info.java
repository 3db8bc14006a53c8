/** Who reached what through the proxy, for those who have to account for it: kept in memory, and in files where that is wanted. */
@NullMarked
package dev.longshore.proxy.audit;

import org.jspecify.annotations.NullMarked;
