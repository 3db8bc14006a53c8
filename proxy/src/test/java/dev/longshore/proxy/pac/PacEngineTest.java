package dev.longshore.proxy.pac;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Scripts in the interpreter, with a network and a time of our own. */
class PacEngineTest {
    /** Friday, 27 November 2026, 15:30:45 at UTC+1. */
    private static final ZonedDateTime NOW = ZonedDateTime.of(2026, 11, 27, 15, 30, 45, 0, ZoneId.of("+01:00"));

    private static final PacHelpers.Net NET = new PacHelpers.Net() {
        @Override
        public List<InetAddress> addressesOf(String name) {
            return switch (name) {
                case "ten.example" -> List.of(InetAddress.ofLiteral("10.1.2.3"));
                case "both.example" ->
                    List.of(InetAddress.ofLiteral("2001:db8::1"), InetAddress.ofLiteral("192.0.2.1"));
                case "six.example" -> List.of(InetAddress.ofLiteral("fd00::6"));
                default -> List.of();
            };
        }

        @Override
        public List<InetAddress> own() {
            return List.of(InetAddress.ofLiteral("192.168.7.2"), InetAddress.ofLiteral("fd00::2"));
        }
    };

    private static long soon() {
        return System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    }

    private static PacEngine engine(String script) throws PacException {
        return PacEngine.of(script, _ -> NET, () -> NOW, System::nanoTime, soon());
    }

    private static String value(String expression) throws PacException {
        return engine("function FindProxyForURL(url, host) { return String(" + expression + "); }")
                .find("https://www.example.com:443", "www.example.com", soon());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            url                                             | https://www.example.com:443
            host                                            | www.example.com
            isPlainHostName('www')                          | true
            isPlainHostName('www.example.com')              | false
            isPlainHostName('::1')                          | false
            dnsDomainIs('www.Example.com', '.example.COM')  | true
            dnsDomainIs('example.com', '.example.com')      | false
            localHostOrDomainIs('www', 'www.example.com')   | true
            localHostOrDomainIs('WWW.example.com', 'www.example.com') | true
            localHostOrDomainIs('www.evil.com', 'www.example.com')    | false
            localHostOrDomainIs('ww', 'www.example.com')    | false
            isResolvable('ten.example')                     | true
            isResolvable('six.example')                     | false
            isResolvableEx('six.example')                   | true
            isResolvable('no.example')                      | false
            dnsResolve('both.example')                      | 192.0.2.1
            dnsResolve('no.example')                        | null
            dnsResolve('192.0.2.9')                         | 192.0.2.9
            dnsResolveEx('both.example')                    | 2001:db8::1;192.0.2.1
            dnsResolveEx('no.example') == ''                | true
            isInNet('ten.example', '10.0.0.0', '255.0.0.0') | true
            isInNet('10.9.9.9', '10.0.0.0', '255.0.0.0')    | true
            isInNet('11.9.9.9', '10.0.0.0', '255.0.0.0')    | false
            isInNet('no.example', '0.0.0.0', '0.0.0.0')     | false
            isInNet('10.9.9.9', 'x', '255.0.0.0')           | false
            isInNetEx('six.example', 'fd00::/8')            | true
            isInNetEx('both.example', '2001:db8::/32')      | true
            isInNetEx('both.example', '192.0.2.0/24')       | true
            isInNetEx('ten.example', 'fd00::/8')            | false
            isInNetEx('10.1.2.3', '10.1.2.2/31')            | true
            isInNetEx('10.1.2.4', '10.1.2.2/31')            | false
            isInNetEx('10.1.2.4', '10.1.2.2/33')            | false
            convert_addr('192.0.2.1')                       | 3221225985
            convert_addr('x')                               | 0
            myIpAddress()                                   | 192.168.7.2
            myIpAddressEx()                                 | 192.168.7.2;fd00::2
            dnsDomainLevels('www.example.com')              | 2
            dnsDomainLevels('www')                          | 0
            sortIpAddressList('10.3.0.1;fd00::2;10.2.0.1;2001:db8::1') | 2001:db8::1;fd00::2;10.2.0.1;10.3.0.1
            sortIpAddressList('10.3.0.1;x') == ''           | true
            getClientVersion()                              | 1.0
            shExpMatch('http://a.example/x', '*/x')         | true
            shExpMatch('www.example.com', '*.example.*')    | true
            shExpMatch('www.example.com', 'www.example.co?')| true
            shExpMatch('www.example.com', 'www')            | false
            shExpMatch('a.b', 'a?b')                        | true
            shExpMatch('a+b', 'a.b')                        | false
            weekdayRange('FRI')                             | true
            weekdayRange('MON', 'WED')                      | false
            weekdayRange('THU', 'SUN')                      | true
            weekdayRange('fri', 'mon', 'GMT')               | true
            weekdayRange('XXX')                             | false
            dateRange(27)                                   | true
            dateRange(1, 15)                                | false
            dateRange(20, 5)                                | true
            dateRange('NOV')                                | true
            dateRange('OCT', 'DEC')                         | true
            dateRange('DEC', 'FEB')                         | false
            dateRange('OCT', 'FEB')                         | true
            dateRange(2026)                                 | true
            dateRange(2025, 2026)                           | true
            dateRange(27, 'NOV')                            | false
            dateRange(1, 'NOV', 30, 'NOV')                  | true
            dateRange('OCT', 2026, 'DEC', 2026)             | true
            dateRange(1, 'DEC', 2025, 27, 'NOV', 2026)      | true
            dateRange(28, 'NOV', 2026, 1, 'DEC', 2030)      | false
            dateRange(27, 'NOV', 2026)                      | true
            dateRange('nonsense')                           | false
            timeRange(15)                                   | true
            timeRange(14, 'GMT')                            | true
            timeRange(9, 15)                                | true
            timeRange(9, 14)                                | false
            timeRange(22, 6)                                | false
            timeRange(12, 6)                                | true
            timeRange(15, 30, 15, 30)                       | true
            timeRange(15, 31, 16, 0)                        | false
            timeRange(15, 30, 45, 15, 30, 45)               | true
            timeRange(15, 30, 46, 15, 30, 59)               | false
            alert('x')                                      | undefined
            """)
    void helper_says(String expression, String said) throws PacException {
        assertThat(value(expression)).isEqualTo(said);
    }

    @Test
    void microsoftsFunction_isPreferred() throws PacException {
        assertThat(engine("function FindProxyForURL() { return 'old'; } function FindProxyForURLEx() { return 'new'; }")
                        .find("http://a:80", "a", soon()))
                .isEqualTo("new");
    }

    @Test
    void modernLanguage_isUnderstood() throws PacException {
        assertThat(engine(
                                "const FindProxyForURL = (u, h) => { let x = [1, 2].map(n => n * 2); return `PROXY ${h}:${x[1]}`; }"
                                        .replace("const ", "var "))
                        .find("http://a:80", "a", soon()))
                .isEqualTo("PROXY a:4");
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "undefined", "''", "void 0"})
    void nothingReturned_isEmpty(String nothing) throws PacException {
        assertThat(engine("function FindProxyForURL() { return " + nothing + "; }")
                        .find("http://a:80", "a", soon()))
                .isEmpty();
    }

    @Test
    void calls_shareNothing() throws PacException {
        PacEngine engine = engine(
                "var n = 0; function FindProxyForURL() { n++; Object.prototype.x = (Object.prototype.x || 0) + 1;"
                        + " return n + ' ' + Object.prototype.x; }");
        assertThat(engine.find("http://a:80", "a", soon())).isEqualTo("1 1");
        assertThat(engine.find("http://a:80", "a", soon())).isEqualTo("1 1");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "java.lang.System.exit(1)",
                "Packages.java.lang.System.exit(1)",
                "new JavaAdapter(java.lang.Runnable, {})",
                "importClass(java.io.File)",
                "getClass().forName('java.lang.System')",
                "host.getClass().getClassLoader()",
                "''.constructor.constructor('return java')().lang.System",
                "isPlainHostName.getClass()",
                "url['class'].forName('java.lang.Runtime')",
                "JavaImporter()",
                "this.__proto__.constructor.constructor('return Packages')()",
                "(function() { return this; })().java.lang.Runtime",
            })
    void java_isOutOfReach(String expression) throws PacException {
        PacEngine engine = engine("function FindProxyForURL(url, host) { return String(" + expression + "); }");
        assertThatThrownBy(() -> engine.find("http://a:80", "a", soon())).isInstanceOf(PacException.class);
    }

    /** What the interpreter itself ends; {@link PacProcessTest} has the rest. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "while (true) {}",
                "for (;;) { try { while (true) {} } catch (e) {} finally { continue; } }",
                "(function f() { try { f(); } catch (e) {} finally { f(); } })();",
                "/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab');",
                "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.replace(/(a|a|a*)*c/g, '');",
            })
    void endlessScript_endsAtItsDeadline(String body) throws PacException {
        PacEngine engine = engine("function FindProxyForURL(url, host) { " + body + " return 'DIRECT'; }");
        assertThatThrownBy(
                        () -> engine.find("http://a:80", "a", System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(100)))
                .isInstanceOf(PacException.class)
                .hasMessage("it did not end in time");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "function f() { return f() + 1; } f();",
                "var a = []; a[0] = a; for (var i = 0; i < 100000; i++) { a = [a]; } a.toString();",
                "undefinedFunction();",
                "throw 'x';",
                "throw { toString: function() { throw 1; } };",
                "return { toString: function() { throw 1; } };",
                "return 'x'.repeat(100000);",
            })
    void failingScript_fails(String body) throws PacException {
        PacEngine engine = engine("function FindProxyForURL(url, host) { " + body + " return 'DIRECT'; }");
        assertThatThrownBy(() -> engine.find("http://a:80", "a", soon())).isInstanceOf(PacException.class);
    }

    @Test
    void whatIsNoScript_isRefused() {
        assertThatThrownBy(() -> engine("<html>"))
                .isInstanceOf(PacException.class)
                .hasMessageStartingWith("line 1: ");
        assertThatThrownBy(() -> engine("var x = 1;")).hasMessage("it has no function FindProxyForURL");
        assertThatThrownBy(() -> engine("function FindProxyForURL() {} throw 'no';"))
                .isInstanceOf(PacException.class);
    }
}
