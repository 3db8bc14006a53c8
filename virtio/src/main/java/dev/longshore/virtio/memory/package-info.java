/**
 * The guest's memory as this process sees it: mapped regions and the translation of the guest's addresses into them.
 *
 * <p>Built by {@code vhostuser} from SET_MEM_TABLE, used by {@code virtqueue}. Knows nothing of rings. No address a guest
 * gives makes anything here throw: an address outside its memory is a null. Spec: vhost-user, "Memory regions description".
 */
@NullMarked
package dev.longshore.virtio.memory;

import org.jspecify.annotations.NullMarked;
