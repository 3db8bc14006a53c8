package dev.longshore.backend;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.util.FileSize;
import dev.longshore.config.Home;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The daemon's log: {@code log/backend.log} and two older ones, 10 MB each. LONGSHORE_LOG=debug or trace says more. */
final class Logs {
    /** Our classes with their module's name first, which {@code longshore desktop logs --unit} asks for. */
    private static final String PATTERN = "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5level [%thread]"
            + " %replace(%logger){'^dev\\.longshore\\.', ''} %msg%n";

    private static final String FILE_SIZE = "10MB";
    private static final int OLD_FILES = 2;

    private Logs() {}

    /** In the foreground, warnings go to standard error too. */
    static void configure(Home home, boolean foreground) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.setLevel(Level.INFO);
        level(context, Level.INFO);
        // gRPC sets a TCP option on the control socket, which is none: Netty warns of it at every connection.
        context.getLogger("io.netty.bootstrap").setLevel(Level.ERROR);
        root.addAppender(file(context, home));
        if (foreground) {
            root.addAppender(console(context));
        }
    }

    /** Without a home: warnings go to standard error; LONGSHORE_LOG says more there too. */
    static void configureConsole() {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.WARN);
        level(context, Level.WARN);
        context.getLogger("io.netty.bootstrap").setLevel(Level.ERROR); // as above
        ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
        appender.setTarget("System.err");
        context.getLogger(Logger.ROOT_LOGGER_NAME).addAppender(started(context, appender));
    }

    private static void level(LoggerContext context, Level usual) {
        Level wanted = Level.toLevel(System.getenv("LONGSHORE_LOG"), usual);
        context.getLogger("dev.longshore").setLevel(wanted);
        if (wanted.isGreaterOrEqual(Level.INFO)) { // who asks for details wants them all
            context.addTurboFilter(new LogBrake(System::nanoTime));
        }
    }

    private static RollingFileAppender<ILoggingEvent> file(LoggerContext context, Home home) {
        RollingFileAppender<ILoggingEvent> appender = new RollingFileAppender<>();
        appender.setFile(home.backendLog().toString());
        FixedWindowRollingPolicy window = new FixedWindowRollingPolicy();
        window.setContext(context);
        window.setParent(appender);
        window.setFileNamePattern(home.log().resolve("backend.%i.log").toString());
        window.setMinIndex(1);
        window.setMaxIndex(OLD_FILES);
        window.start();
        SizeBasedTriggeringPolicy<ILoggingEvent> size = new SizeBasedTriggeringPolicy<>();
        size.setContext(context);
        size.setMaxFileSize(FileSize.valueOf(FILE_SIZE));
        size.start();
        appender.setRollingPolicy(window);
        appender.setTriggeringPolicy(size);
        return started(context, appender);
    }

    private static ConsoleAppender<ILoggingEvent> console(LoggerContext context) {
        ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
        appender.setTarget("System.err");
        ch.qos.logback.classic.filter.ThresholdFilter warnings = new ch.qos.logback.classic.filter.ThresholdFilter();
        warnings.setLevel(Level.WARN.toString());
        warnings.start();
        appender.addFilter(warnings);
        return started(context, appender);
    }

    private static <A extends OutputStreamAppender<ILoggingEvent>> A started(LoggerContext context, A appender) {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern(PATTERN);
        encoder.start();
        appender.setContext(context);
        appender.setEncoder(encoder);
        appender.start();
        return appender;
    }
}
