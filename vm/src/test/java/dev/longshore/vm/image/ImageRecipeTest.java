package dev.longshore.vm.image;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageRecipeTest {
    @TempDir
    private Path directory;

    @Test
    void sameFilesInAnotherOrder_sameHash() {
        assertThat(recipe("a", "1", "b", "2").hash())
                .isEqualTo(recipe("b", "2", "a", "1").hash())
                .matches("[0-9a-f]{16}");
    }

    @Test
    void anyDifference_otherHash() {
        String hash = recipe("a", "1", "b", "2").hash();

        assertThat(recipe("a", "1", "b", "3").hash()).isNotEqualTo(hash);
        assertThat(recipe("a", "1", "c", "2").hash()).isNotEqualTo(hash);
        assertThat(recipe("a", "1").hash()).isNotEqualTo(hash);
        assertThat(recipe("a", "1b", "b", "").hash())
                .isNotEqualTo(recipe("a", "1", "b", "b").hash());
    }

    @Test
    void otherKernel_otherHash() {
        assertThat(ImageRecipe.bundled(GuestKernel.UML).hash())
                .isNotEqualTo(ImageRecipe.bundled(GuestKernel.CLOUD).hash());
    }

    @Test
    void packages_commentsAreLeftOut() {
        ImageRecipe recipe = recipe(
                "packages.txt", "# why\ndocker.io\n\nkmod   # modprobe\n", "packages-uml.txt", "user-mode-linux\n");

        assertThat(recipe.packages()).containsExactly("docker.io", "kmod", "user-mode-linux");
    }

    @Test
    void bundled_everyFileOfTheManifestIsThere() throws Exception {
        ImageRecipe.bundled(GuestKernel.UML).writeTo(directory);

        List<String> missing = new ArrayList<>();
        for (String line : Files.readAllLines(directory.resolve("manifest.txt"))) {
            if (line.matches("[0-7]{3} .*")
                    && !Files.exists(directory.resolve("files").resolve(line.substring(4)))) {
                missing.add(line);
            }
        }
        assertThat(missing).isEmpty();
        assertThat(directory.resolve("customize.sh")).exists();
    }

    @Test
    void bundled_hasTheAgentAndItsMain() {
        assertThat(ImageRecipe.bundled(GuestKernel.UML).agentSources()).contains("agent/main.c", "agent/serve.c");
    }

    private static ImageRecipe recipe(String... pathsAndContents) {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int i = 0; i < pathsAndContents.length; i += 2) {
            files.put(pathsAndContents[i], pathsAndContents[i + 1].getBytes(UTF_8));
        }
        return new ImageRecipe(GuestKernel.UML, files);
    }
}
