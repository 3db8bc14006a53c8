package dev.longshore.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * What holds, put together from the files: an administrator's lock before everything, then what the user has set, then an
 * administrator's suggestion, then the default. Immutable.
 */
public final class EffectiveSettings {
    /** Where a value comes from. */
    public enum Source {
        DEFAULT,
        USER,
        ADMIN
    }

    private static final JsonMapper MAPPER = new JsonMapper();

    private final Values values = new Values();
    private final Map<Setting<?>, Source> sources = new LinkedHashMap<>();
    private final Set<Setting<?>> locked = new LinkedHashSet<>();
    private final List<Problem> warnings = new ArrayList<>();
    private final Path adminFile;
    private final UserFile userFile;
    private final Settings settings;

    /** One setting as it is. Immutable. */
    public record Entry<T>(Setting<T> setting, T value, Source source, boolean locked) {
        /** Without secrets: a Boolean, an Integer, a String, or a list of such. */
        public Object shown() {
            return setting.type().shown(value);
        }

        /** {@link #shown} as JSON text. */
        public String shownJson() {
            return MAPPER.writeValueAsString(shown());
        }

        /** The default, as JSON text. */
        public String defaultJson() {
            return MAPPER.writeValueAsString(setting.type().shown(setting.fallback()));
        }
    }

    /** How it went. */
    record Resolved(@Nullable EffectiveSettings settings, List<Problem> problems) {}

    private EffectiveSettings(UserFile user, AdminFile admin, List<Problem> problems) {
        adminFile = admin.file();
        userFile = user;
        warnings.addAll(admin.warnings());
        warnings.addAll(user.warnings());
        problems.addAll(admin.problems());
        problems.addAll(user.problems());
        SettingTable.ALL.forEach(s -> choose(s, user, admin, problems));
        List<Path> shared = share(user, admin);
        checkTogether(user, admin, problems);
        warnOfNoEffect(user, admin);
        settings = Settings.of(this, shared);
    }

    static Resolved resolve(UserFile user, AdminFile admin) {
        List<Problem> problems = new ArrayList<>();
        EffectiveSettings made = new EffectiveSettings(user, admin, problems);
        return new Resolved(problems.isEmpty() ? made : null, List.copyOf(problems));
    }

    /** What holds without any file. */
    static EffectiveSettings defaults() {
        return new EffectiveSettings(UserFile.absent(Path.of("/")), AdminFile.absent(Path.of("/")), new ArrayList<>());
    }

    private <T> void choose(Setting<T> setting, UserFile user, AdminFile admin, List<Problem> problems) {
        Problem bad = user.badValue(setting);
        T fromAdmin = admin.get(setting);
        T fromUser = user.get(setting);
        if (admin.isLocked(setting)) {
            put(setting, fromAdmin == null ? setting.fallback() : fromAdmin, Source.ADMIN);
            locked.add(setting);
            if (bad != null || (fromUser != null && !fromUser.equals(values.get(setting)))) {
                warnings.add(user.about(setting, "ignored: locked by " + adminFile));
            }
            return;
        }
        if (bad != null) {
            problems.add(bad);
        }
        if (fromUser != null) {
            put(setting, fromUser, Source.USER);
        } else if (fromAdmin != null) {
            put(setting, fromAdmin, Source.ADMIN);
        } else {
            put(setting, setting.fallback(), Source.DEFAULT);
        }
    }

    private <T> void put(Setting<T> setting, T value, Source source) {
        values.put(setting, value);
        sources.put(setting, source);
    }

    /** The folders to share; those of the user are kept within what the administrator allows. */
    private List<Path> share(UserFile user, AdminFile admin) {
        Map<String, String> variables = SharedPaths.ofUser(System.getenv());
        Map<String, String> administrators = SharedPaths.ofSystem();
        List<AdminFile.AllowedDirectory> allowed = admin.allowedDirectories();
        List<String> wanted = get(SettingTable.FILE_SHARING);
        if (allowed == null) {
            return expand(wanted, variables);
        }
        if (sources.get(SettingTable.FILE_SHARING) == Source.DEFAULT) {
            wanted = allowed.stream()
                    .filter(AdminFile.AllowedDirectory::shared)
                    .map(AdminFile.AllowedDirectory::path)
                    .toList();
            put(SettingTable.FILE_SHARING, wanted, Source.ADMIN);
            variables = administrators;
        }
        List<Path> bounds = allowed.stream()
                .map(a -> SharedPaths.expand(a.path(), administrators))
                .toList();
        List<String> kept = new ArrayList<>();
        List<Path> shared = new ArrayList<>();
        for (String w : wanted) {
            Path path = SharedPaths.expand(w, variables);
            if (bounds.stream().anyMatch(path::startsWith)) {
                kept.add(w);
                shared.add(path);
            } else {
                warnings.add(user.about(
                        SettingTable.FILE_SHARING, w + " is left out: " + adminFile + " does not allow to share it"));
            }
        }
        put(
                SettingTable.FILE_SHARING,
                List.copyOf(kept),
                sources.getOrDefault(SettingTable.FILE_SHARING, Source.DEFAULT));
        return shared;
    }

    private static List<Path> expand(List<String> folders, Map<String, String> variables) {
        return folders.stream().map(f -> SharedPaths.expand(f, variables)).toList();
    }

    private void checkTogether(UserFile user, AdminFile admin, List<Problem> problems) {
        Together together = new Together(user, admin, problems);
        NetworkingMode mode = get(SettingTable.NETWORKING_MODE);
        DnsFilter filter = get(SettingTable.DNS_FILTER);
        if (mode != NetworkingMode.DUAL_STACK && (filter == DnsFilter.IPV4 || filter == DnsFilter.IPV6)) {
            String text = ValueTypes.wordOf(filter) + " is for the networking mode dual-stack only, and it is "
                    + ValueTypes.wordOf(mode);
            if (locked.contains(SettingTable.DNS_FILTER) || sources.get(SettingTable.NETWORKING_MODE) == Source.USER) {
                together.problem(SettingTable.DNS_FILTER, SettingTable.NETWORKING_MODE, text);
            } else {
                warnings.add(about(SettingTable.DNS_FILTER, user, admin, text + "; reset to auto"));
                values.put(SettingTable.DNS_FILTER, DnsFilter.AUTO);
            }
        }
        boolean noRoom = get(SettingTable.MTU) < AddressPlan.IPV6_MIN_MTU;
        if (noRoom && get(SettingTable.IPV6) == Ipv6Mode.ON) {
            together.problem(
                    SettingTable.IPV6,
                    SettingTable.MTU,
                    "needs a vpnKitMTU of at least " + AddressPlan.IPV6_MIN_MTU + ", or \"auto\" to do without IPv6");
        }
        if (mode == NetworkingMode.IPV6ONLY && (noRoom || get(SettingTable.IPV6) == Ipv6Mode.OFF)) {
            together.problem(
                    SettingTable.NETWORKING_MODE,
                    noRoom ? SettingTable.MTU : SettingTable.IPV6,
                    "ipv6only needs IPv6: "
                            + (noRoom ? "a vpnKitMTU of at least " + AddressPlan.IPV6_MIN_MTU : "network.ipv6 is off"));
        }
        if (get(SettingTable.DOCKER_VMM) && get(SettingTable.MEMORY_MIB) < SettingTable.DOCKER_VMM_MEMORY_MIB) {
            together.problem(
                    SettingTable.DOCKER_VMM,
                    SettingTable.MEMORY_MIB,
                    "Docker VMM needs 4 GB: set memoryMiB to at least " + SettingTable.DOCKER_VMM_MEMORY_MIB
                            + " first; it is " + get(SettingTable.MEMORY_MIB));
        }
    }

    /** Problems of two settings that do not go together: told of the one that the user can change. */
    private final class Together {
        private final UserFile user;
        private final AdminFile admin;
        private final List<Problem> problems;

        Together(UserFile user, AdminFile admin, List<Problem> problems) {
            this.user = user;
            this.admin = admin;
            this.problems = problems;
        }

        void problem(Setting<?> setting, Setting<?> other, String text) {
            boolean turned = locked.contains(setting) && !locked.contains(other);
            Setting<?> blamed = turned ? other : setting;
            Setting<?> partner = turned ? setting : other;
            String lock = locked.contains(partner) ? " (" + partner.key() + " is locked by " + adminFile + ")" : "";
            String named = turned ? "does not go with " + setting.key() + ": " + text : text;
            problems.add(about(blamed, user, admin, named + lock));
        }
    }

    private Problem about(Setting<?> setting, UserFile user, AdminFile admin, String text) {
        return sources.get(setting) == Source.ADMIN
                ? new Problem(admin.file(), setting.key(), 0, 0, text)
                : user.about(setting, text);
    }

    private void warnOfNoEffect(UserFile user, AdminFile admin) {
        for (Setting<?> s : SettingTable.ALL) {
            boolean inert = s.effect() == Effect.NONE_YET || s.effect() == Effect.UNSUPPORTED;
            boolean asked = sources.get(s) != Source.DEFAULT && !s.fallback().equals(values.get(s));
            if (inert && asked) {
                warnings.add(about(s, user, admin, s.whenItCounts()));
            }
        }
    }

    /** The value that holds. */
    public <T> T get(Setting<T> setting) {
        T value = values.get(setting);
        return value == null ? setting.fallback() : value;
    }

    /** The typed records of all of them. */
    public Settings settings() {
        return settings;
    }

    public <T> Entry<T> entry(Setting<T> setting) {
        return new Entry<>(
                setting, get(setting), sources.getOrDefault(setting, Source.DEFAULT), locked.contains(setting));
    }

    /** All settings, in the table's order. */
    public List<Entry<?>> entries() {
        List<Entry<?>> all = new ArrayList<>();
        SettingTable.ALL.forEach(s -> all.add(entry(s)));
        return List.copyOf(all);
    }

    public boolean isLocked(Setting<?> setting) {
        return locked.contains(setting);
    }

    /** Settings whose values differ. */
    public List<Setting<?>> changesFrom(EffectiveSettings before) {
        List<Setting<?>> changed = new ArrayList<>();
        for (Setting<?> s : SettingTable.ALL) {
            if (!get(s).equals(before.get(s))) {
                changed.add(s);
            }
        }
        return List.copyOf(changed);
    }

    /** What is ignored, left out or has no effect; quotes no secrets. */
    public List<Problem> warnings() {
        return List.copyOf(warnings);
    }

    /** What the user had said when these were read. */
    UserFile userFile() {
        return userFile;
    }

    /** Where locks come from. */
    public Path adminFile() {
        return adminFile;
    }
}
