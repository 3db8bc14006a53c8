/**
 * The guest's image: root file system and kernel, built from Debian 13 packages by the recipe among the resources and
 * kept in the cache under the recipe's hash. Called by the daemon before it starts a machine; knows nothing of machines.
 */
@NullMarked
package dev.longshore.vm.image;

import org.jspecify.annotations.NullMarked;
