package dev.longshore.fileshare.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.fileshare.watch.FileChange.Place;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the guest is told, and in which order. */
class ChangeQueueTest {
    private final ChangeQueue queue = new ChangeQueue(4, 6);

    private static Place at(String name) {
        return new Place("/d", name);
    }

    /** As in {@code c a}: what has happened, and the name; of a move also where from. */
    private List<String> told() {
        List<String> all = new ArrayList<>();
        FileChange c;
        while ((c = queue.poll()) != null) {
            Place from = c.from;
            all.add((from == null ? "" : "v" + from.name())
                    + (c.has(FileChange.GONE) ? "d" : "")
                    + (c.has(FileChange.CREATED) ? "c" : "")
                    + (c.has(FileChange.MODIFIED) ? "m" : "")
                    + (c.has(FileChange.ATTRIBUTES) ? "a" : "")
                    + (c.has(FileChange.WRITTEN) ? "w" : "")
                    + " " + c.place.name());
        }
        return all;
    }

    @Test
    void changesOfAFile_areOne() {
        queue.created(at("a"));
        queue.changed(at("b"), FileChange.MODIFIED);
        queue.changed(at("a"), FileChange.MODIFIED);
        queue.changed(at("a"), FileChange.WRITTEN);

        assertThat(told()).containsExactly("m b", "cmw a");
    }

    @Test
    void fileThatCameAndWent_isNothing() {
        queue.created(at("a"));
        queue.changed(at("a"), FileChange.WRITTEN);
        queue.gone(at("a"), false);

        assertThat(told()).isEmpty();
    }

    @Test
    void fileThatWentAndCame_isBoth() {
        queue.changed(at("a"), FileChange.MODIFIED);
        queue.gone(at("a"), false);
        queue.created(at("a"));
        assertThat(told()).containsExactly("dc a");

        queue.gone(at("a"), false);
        queue.created(at("a"));
        queue.gone(at("a"), false);
        assertThat(told()).containsExactly("d a");
    }

    @Test
    void savingByWayOfATemporaryFile_isAMove() {
        queue.created(at("tmp"));
        queue.changed(at("tmp"), FileChange.MODIFIED | FileChange.WRITTEN);
        queue.moved(at("tmp"), at("a"), false);

        assertThat(told()).containsExactly("vtmpmw a");
    }

    @Test
    void severalMoves_areOne() {
        queue.moved(at("a"), at("b"), false);
        queue.moved(at("b"), at("c"), false);
        assertThat(told()).containsExactly("va c");

        queue.moved(at("a"), at("b"), false);
        queue.gone(at("b"), false);
        assertThat(told()).containsExactly("d a");
    }

    @Test
    void moveOverWhatHasJustMoved_losesThat() {
        queue.moved(at("a"), at("x"), false);
        queue.moved(at("b"), at("x"), false);

        assertThat(told()).containsExactly("d a", "vb x");
    }

    @Test
    void storm_newestIsToldFirstAndOldestIsDropped() {
        for (int i = 0; i < 12; i++) {
            queue.created(at("s" + i));
        }
        assertThat(queue.isStorm()).isTrue();
        queue.changed(at("edit"), FileChange.MODIFIED);

        assertThat(queue.dropped()).isEqualTo(3);
        List<String> all = told();
        assertThat(all.subList(0, 4)).containsExactly("c s9", "c s10", "c s11", "m edit");
        assertThat(all.subList(4, all.size())).containsExactly("c s3", "c s4", "c s5", "c s6", "c s7", "c s8");
        assertThat(queue.isStorm()).isFalse();
    }

    @Test
    void storm_fileOfTheBacklogThatChangesIsFresh() {
        for (int i = 0; i < 8; i++) {
            queue.created(at("s" + i));
        }
        queue.changed(at("s0"), FileChange.MODIFIED);

        assertThat(told().subList(0, 4)).containsExactly("c s5", "c s6", "c s7", "cm s0");
    }
}
