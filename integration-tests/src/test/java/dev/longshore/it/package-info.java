/**
 * The product as a user has it: {@code ./longshore}, a real guest, the real {@code docker} command, other hosts in
 * namespaces of our own. Needs root, and what {@code packaging/host-packages.txt} names. No test reaches another network.
 */
@NullMarked
package dev.longshore.it;

import org.jspecify.annotations.NullMarked;
