package dev.longshore.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The names a settings file may have, as a tree of objects. Docker Desktop writes its keys with a capital first letter in
 * one file and without in others: the first letter's case never matters. Immutable.
 */
final class KeyTree {
    /** What stands at a name. */
    sealed interface Node {}

    /** An object of names. */
    static final class Inner implements Node {
        /** The object whose members are locked as one; empty for all others. */
        final String group;

        private final Map<String, Node> children = new LinkedHashMap<>();
        private final List<String> names = new ArrayList<>();

        private Inner(String group) {
            this.group = group;
        }

        @Nullable
        Node child(String name) {
            return children.get(normal(name));
        }

        /** As written in documents. */
        List<String> names() {
            return names;
        }
    }

    /** A setting's value. */
    record Value(Setting<?> setting) implements Node {}

    /** {@code IPv4Only} and {@code IPv6Only}: true means the mode, false says nothing. */
    record OnlyOneFamily(NetworkingMode mode) implements Node {}

    /** {@code configurationFileVersion}. */
    record FileVersion() implements Node {}

    /** {@code locked} of a group. */
    record GroupLock() implements Node {}

    /** {@code filesharingAllowedDirectories} of an administrator. */
    record AllowedDirectories() implements Node {}

    /** A name of the user's file that an administrator writes otherwise. */
    record InGroup(Setting<?> setting) implements Node {}

    static final KeyTree USER = ofUser();
    static final KeyTree ADMIN = ofAdmin();

    private final Inner top = new Inner("");

    Inner top() {
        return top;
    }

    private static KeyTree ofUser() {
        KeyTree tree = new KeyTree();
        for (Setting<?> s : SettingTable.ALL) {
            tree.put(s.key(), new Value(s));
            s.spellings().forEach(spelling -> tree.put(spelling, new Value(s)));
        }
        tree.put("IPv4Only", new OnlyOneFamily(NetworkingMode.IPV4ONLY));
        tree.put("ipv4Only", new OnlyOneFamily(NetworkingMode.IPV4ONLY));
        tree.put("IPv6Only", new OnlyOneFamily(NetworkingMode.IPV6ONLY));
        tree.put("ipv6Only", new OnlyOneFamily(NetworkingMode.IPV6ONLY));
        return tree;
    }

    private static KeyTree ofAdmin() {
        KeyTree tree = new KeyTree();
        tree.put("configurationFileVersion", new FileVersion());
        SettingTable.GROUPS.forEach(group -> tree.put(group + ".locked", new GroupLock()));
        for (Setting<?> s : SettingTable.ALL) {
            boolean inGroup = s.group() != null;
            tree.put(s.key(), new Value(s));
            s.spellings().forEach(spelling -> tree.put(spelling, inGroup ? new InGroup(s) : new Value(s)));
            s.adminPaths().forEach(path -> tree.put(path, new Value(s)));
        }
        tree.put("filesharingAllowedDirectories", new AllowedDirectories());
        return tree;
    }

    private void put(String path, Node node) {
        Inner at = top;
        String[] names = path.split("\\.", -1);
        for (int i = 0; i < names.length - 1; i++) {
            String group = i == 0 && SettingTable.GROUPS.contains(names[0]) ? names[0] : "";
            if (!at.children.containsKey(normal(names[i]))) {
                at.names.add(names[i]);
            }
            at = (Inner) at.children.computeIfAbsent(normal(names[i]), _ -> new Inner(group));
        }
        String last = names[names.length - 1];
        if (at.children.put(normal(last), node) == null) {
            at.names.add(last);
        }
    }

    /** True for {@code vpnkitCIDR} and {@code VpnkitCIDR}, and so on for each part between dots. */
    static boolean sameName(String path, String other) {
        String[] a = path.split("\\.", -1);
        String[] b = other.split("\\.", -1);
        if (a.length != b.length) {
            return false;
        }
        for (int i = 0; i < a.length; i++) {
            if (!normal(a[i]).equals(normal(b[i]))) {
                return false;
            }
        }
        return true;
    }

    private static String normal(String name) {
        return name.isEmpty() ? name : name.substring(0, 1).toLowerCase(Locale.ROOT) + name.substring(1);
    }
}
