package dev.longshore.it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * One running product for all test classes that ask for a {@link Product}, a {@link DockerCli} or a {@link TestHost}; it
 * goes down behind the last one. After a failed test its logs are printed.
 */
final class SharedProduct implements ParameterResolver, AfterTestExecutionCallback {
    private static final Namespace NAMESPACE = Namespace.create(SharedProduct.class);

    /** What is up. */
    private static final class Running implements AutoCloseable {
        private final Product product = new Product();
        private final TestHost testHost;
        private final Path context;

        Running() throws IOException {
            context = Files.createTempDirectory("lsit-image-");
            try {
                TestImage.makeContext(context);
                testHost = new TestHost(TestImage.peer(context));
                product.settings(TestResolver.SETTINGS);
                long begin = System.nanoTime();
                product.up();
                System.out.println("up after " + Duration.ofNanos(System.nanoTime() - begin));
                TestImage.build(product.docker(), context);
            } catch (Throwable e) {
                System.err.println(product.logs());
                close();
                throw e;
            }
        }

        @Override
        @SuppressWarnings("NullAway") // the constructor closes what it has so far
        public void close() {
            product.close();
            if (testHost != null) {
                testHost.close();
            }
            Product.deleteTree(context);
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        Class<?> type = parameter.getParameter().getType();
        return type == Product.class || type == DockerCli.class || type == TestHost.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        Running running = running(context);
        Class<?> type = parameter.getParameter().getType();
        if (type == Product.class) {
            return running.product;
        }
        return type == TestHost.class ? running.testHost : running.product.docker();
    }

    private static Running running(ExtensionContext context) {
        return context.getRoot()
                .getStore(NAMESPACE)
                .getOrComputeIfAbsent(
                        Running.class,
                        key -> {
                            try {
                                return new Running();
                            } catch (IOException e) {
                                throw new AssertionError(e);
                            }
                        },
                        Running.class);
    }

    @Override
    public void afterTestExecution(ExtensionContext context) {
        if (context.getExecutionException().isPresent()) {
            System.err.println("after " + context.getDisplayName() + ":\n"
                    + running(context).product.logs());
        }
    }
}
