package dev.longshore.proxy.auth;

import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.route.ProxyAddress.Login;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.ietf.jgss.GSSContext;
import org.jspecify.annotations.Nullable;

/**
 * Authentication of one connection to one proxy, of its requests one after the other. Confined to the connection's event loop.
 *
 * <p>Theory of operation. {@link #first} says what a request carries, {@link #challenged} what it carries when it is sent again after
 * a 407, {@link #answered} hears of every other answer, {@link #lost} that none comes any more. What the proxy accepted once is sent
 * unasked from then on, which {@link Account} knows for all connections. NTLM and Negotiate go on over several requests, which have
 * to be on the same connection, and hold for all that follow on it.
 */
public final class ConnectionAuth {
    /** 100 ns since 1601 at the epoch of Unix: MS-DTYP §2.3.3. */
    private static final long FILETIME_1970 = 116_444_736_000_000_000L;

    private static final long WAITING_SECONDS = 60;

    private enum State {
        /** No credentials have been sent. */
        IDLE,
        /** Half-way through NTLM or SPNEGO. */
        HANDSHAKE,
        /** All that there is to say was sent. */
        PROVING,
        /** The proxy has taken it. */
        PROVEN
    }

    private final Authenticator owner;
    private final Account account;
    private final EventLoop loop;
    private final ChannelBinding binding;
    private final Set<Scheme> excluded = EnumSet.noneOf(Scheme.class);
    private State state = State.IDLE;
    private @Nullable Way way;
    private boolean holdsPermit;
    private boolean renewed;
    private boolean gone;
    private @Nullable String failure; // of a way that did not work

    /** How this connection authenticates. Confined like its owner. */
    private static final class Way {
        final Scheme scheme;

        /** The scheme's name as it is sent: NTLM may go by the name of Negotiate. */
        final String token;

        final Identity identity;
        final @Nullable Login login;
        final Kerberos.@Nullable Holder holder;

        @Nullable
        Challenge challenge;

        @Nullable
        Digest digest;

        Kerberos.@Nullable Holder tickets;

        @Nullable
        GSSContext context;

        int legs;

        Way(
                Scheme scheme,
                String token,
                Identity identity,
                @Nullable Login login,
                Kerberos.@Nullable Holder holder,
                @Nullable Challenge challenge) {
            this.scheme = scheme;
            this.token = token;
            this.identity = identity;
            this.login = login;
            this.holder = holder;
            this.challenge = challenge;
        }
    }

    ConnectionAuth(Authenticator owner, Account account, EventLoop loop, ChannelBinding binding) {
        this.owner = owner;
        this.account = account;
        this.loop = loop;
        this.binding = binding;
    }

    /** Who the proxy takes this connection for; compared by equality only. */
    public Object identity() {
        return way == null ? "nobody yet" : way.identity;
    }

    /** By which scheme the last request said who it is from, as the user sees it; empty if it did not. */
    public String scheme() {
        Way w = way;
        return w == null || state == State.IDLE ? "" : w.scheme.toString();
    }

    /** The connection itself belongs to its identity, not its requests. */
    public boolean bindsConnection() {
        return way != null && way.scheme.bindsConnection();
    }

    /** What has been said so far holds for this connection only: a request cannot go on on another one. */
    public boolean needsThisConnection() {
        Way w = way;
        return w != null
                && w.scheme.bindsConnection()
                && (state == State.PROVEN || (state == State.PROVING && (w.scheme == Scheme.NTLM || w.legs > 1)));
    }

    /** True if the next request will hardly be answered 407, so that its body may follow at once. */
    public boolean isSettled() {
        if (state == State.PROVEN && way != null) {
            return way.scheme != Scheme.DIGEST; // whose nonce may be stale
        }
        Account.Accepted accepted = account.accepted();
        if (accepted == null) {
            return account.isOpen() || !owner.mayHaveCredentials(account.proxy);
        }
        return state == State.IDLE
                && !excluded.contains(accepted.scheme())
                && (accepted.scheme() == Scheme.BASIC || accepted.scheme() == Scheme.NEGOTIATE);
    }

    /** More legs follow the one that was asked for last. */
    public boolean isHalfWay() {
        return state == State.HANDSHAKE;
    }

    /** What a request carries that shall be answered 407, for what that says. */
    public Future<Answer> probe() {
        assert loop.inEventLoop();
        Account.Accepted accepted = account.accepted();
        return state == State.IDLE && accepted != null && accepted.scheme() == Scheme.NTLM ? first("", "") : send(null);
    }

    /** What the next request carries, sent for the first time. */
    public Future<Answer> first(String method, String uri) {
        assert loop.inEventLoop();
        renewed = false;
        if (state == State.PROVEN && bindsConnection()) {
            return send(null);
        }
        Account.Accepted accepted = account.accepted();
        if (accepted == null || excluded.contains(accepted.scheme())) {
            return send(null); // 407 costs a round trip, and says what is wanted
        }
        Login login = accepted.identity().login();
        Way known =
                new Way(accepted.scheme(), account.token(accepted.scheme()), accepted.identity(), login, null, null);
        known.digest = accepted.digest();
        way = known;
        return prove(known, method, uri, true);
    }

    /** What the request carries that was answered 407 with {@code head}. */
    public Future<Answer> challenged(Fields head, String method, String uri) {
        assert loop.inEventLoop();
        account.demanded();
        List<Challenge> offered = Challenge.parse(head.all("Proxy-Authenticate"));
        Way w = way;
        if (w != null && (state == State.HANDSHAKE || (state == State.PROVING && w.context != null))) {
            Challenge next = find(offered, w.token.toLowerCase(Locale.ROOT));
            if (next != null && !next.token().isEmpty()) {
                w.challenge = next;
                return prove(w, method, uri, false);
            }
            if (state == State.HANDSHAKE) {
                if (w.challenge != null) { // it asked for this, and does not go on
                    excluded.add(w.scheme);
                    failure = "it does not go on with " + w.scheme;
                }
                release(); // nothing secret has been said
                way = null;
                return choose(offered, method, uri);
            }
        }
        if (w != null && state == State.PROVING) {
            Challenge fresh = freshNonce(w, offered);
            if (fresh != null) {
                renewed = true;
                w.challenge = fresh;
                w.digest = null;
                return prove(w, method, uri, false);
            }
            return refused(w, offered, method, uri);
        }
        return choose(offered, method, uri);
    }

    /** A nonce ran out, which is no refusal: RFC 7616 §3.3, stale. */
    private @Nullable Challenge freshNonce(Way w, List<Challenge> offered) {
        Digest had = w.digest;
        if (w.scheme != Scheme.DIGEST || renewed || had == null) {
            return null;
        }
        for (Challenge c : offered) {
            boolean other = !had.nonce().equals(c.parameter("nonce"));
            if (c.scheme().equals("digest") && other && (Digest.isStale(c) || w.challenge == null)) {
                return c;
            }
        }
        return null;
    }

    private Future<Answer> refused(Way w, List<Challenge> offered, String method, String uri) {
        String why = "the proxy refused the " + (w.identity.isTicket() ? "Kerberos ticket" : "user and password")
                + " it was given by " + w.scheme;
        holdsPermit = false;
        account.refuse(w.identity, why);
        excluded.add(w.scheme);
        state = State.IDLE;
        way = null;
        return w.identity.isTicket()
                ? choose(offered, method, uri)
                : refuse(why + "; it is not tried again until it changes");
    }

    /** Any answer but 407 came. */
    public void answered() {
        assert loop.inEventLoop();
        Way w = way;
        if (w != null && state == State.HANDSHAKE) {
            release(); // it did not want to know: nothing has been proved
            way = null;
        } else if (w != null && state == State.PROVING) {
            holdsPermit = false;
            account.accept(w.identity, w.scheme, w.token, w.digest, w.tickets);
            state = State.PROVEN;
        } else if (w == null && state == State.IDLE) {
            account.open();
        }
    }

    /** The connection has ended. Idempotent. */
    public void lost() {
        gone = true;
        release();
    }

    private void release() {
        Way w = way;
        if (holdsPermit && w != null) {
            holdsPermit = false;
            account.giveBack(w.identity);
        }
        if (w != null && w.context != null) {
            w.context = null;
        }
        if (state != State.PROVEN) {
            state = State.IDLE;
        }
    }

    // --- choosing a way

    private Future<Answer> choose(List<Challenge> offered, String method, String uri) {
        state = State.IDLE;
        Promise<Answer> answer = loop.newPromise();
        Set<Scheme> without = EnumSet.noneOf(Scheme.class);
        without.addAll(excluded);
        blocking(
                answer,
                () -> candidate(offered, without),
                found -> {
                    if (found == null) {
                        String why = failure != null
                                ? failure
                                : "it wants credentials (" + names(offered) + "), and there are none that fit";
                        account.lacks(why);
                        answer.trySuccess(new Answer.Refuse(why));
                    } else {
                        ask(found, offered, method, uri, answer);
                    }
                },
                failed -> answer.trySuccess(new Answer.Refuse(failed.text())));
        return answer;
    }

    private static String names(List<Challenge> offered) {
        return offered.isEmpty()
                ? "by no scheme at all"
                : String.join(
                        ", ",
                        offered.stream()
                                .map(Challenge::scheme)
                                .distinct()
                                .limit(8)
                                .toList());
    }

    private void ask(Way found, List<Challenge> offered, String method, String uri, Promise<Answer> answer) {
        Future<Account.Permit> permit = account.permit(found.identity, loop);
        if (!permit.isDone()) { // somebody else's request decides, which may take its time
            var timer = loop.schedule(
                    () -> answer.trySuccess(new Answer.Refuse("another connection's authentication takes too long")),
                    WAITING_SECONDS,
                    TimeUnit.SECONDS);
            answer.addListener(_ -> timer.cancel(false));
        }
        permit.addListener(_ -> {
            Account.Permit given = permit.isSuccess() ? permit.getNow() : Account.Permit.REFUSED;
            if (gone || answer.isDone()) {
                if (given == Account.Permit.ALONE) {
                    account.giveBack(found.identity);
                }
                answer.trySuccess(new Answer.Refuse("the connection has ended"));
            } else if (given == Account.Permit.REFUSED) {
                if (found.identity.isTicket()) {
                    excluded.add(found.scheme);
                    pass(choose(offered, method, uri), answer);
                } else {
                    answer.trySuccess(
                            new Answer.Refuse(account.state().text() + "; it is not tried again until it changes"));
                }
            } else {
                holdsPermit = given == Account.Permit.ALONE;
                way = found;
                pass(prove(found, method, uri, false, offered), answer);
            }
        });
    }

    private static void pass(Future<Answer> from, Promise<Answer> to) {
        from.addListener(_ ->
                to.trySuccess(from.isSuccess() ? from.getNow() : new Answer.Refuse("authentication was given up")));
    }

    /** The strongest way there is, by what the proxy offers and what we have. Blocks: not on the loop. */
    private @Nullable Way candidate(List<Challenge> offered, Set<Scheme> without) {
        Set<Scheme> may = EnumSet.noneOf(Scheme.class);
        may.addAll(owner.settings().schemes());
        may.removeAll(without);
        Challenge negotiate = find(offered, "negotiate");
        if (negotiate != null && may.contains(Scheme.NEGOTIATE)) {
            try {
                Kerberos.Holder holder = owner.tickets();
                return new Way(Scheme.NEGOTIATE, "Negotiate", Identity.of(holder), null, holder, negotiate);
            } catch (AuthFailure e) {
                // no ticket: there are other ways
            }
        }
        Login login = account.login(owner.source());
        if (login == null) {
            return null;
        }
        if (negotiate != null && may.contains(Scheme.NEGOTIATE) && login.user().indexOf('@') > 0) {
            return way(Scheme.NEGOTIATE, "Negotiate", login, negotiate);
        }
        Challenge strong = digest(offered, true);
        if (strong != null && may.contains(Scheme.DIGEST)) {
            return way(Scheme.DIGEST, "Digest", login, strong);
        }
        Challenge ntlm = find(offered, "ntlm");
        if (may.contains(Scheme.NTLM) && (ntlm != null || negotiate != null)) {
            return ntlm != null
                    ? way(Scheme.NTLM, "NTLM", login, ntlm)
                    : way(Scheme.NTLM, "Negotiate", login, Objects.requireNonNull(negotiate));
        }
        Challenge weak = digest(offered, false);
        if (weak != null && may.contains(Scheme.DIGEST)) {
            return way(Scheme.DIGEST, "Digest", login, weak);
        }
        Challenge basic = find(offered, "basic");
        return basic != null && may.contains(Scheme.BASIC) ? way(Scheme.BASIC, "Basic", login, basic) : null;
    }

    private static Way way(Scheme scheme, String token, Login login, Challenge challenge) {
        return new Way(scheme, token, Identity.of(login), login, null, challenge);
    }

    private static @Nullable Challenge find(List<Challenge> offered, String scheme) {
        return offered.stream()
                .filter(c -> c.scheme().equals(scheme))
                .findFirst()
                .orElse(null);
    }

    private static @Nullable Challenge digest(List<Challenge> offered, boolean strong) {
        return offered.stream()
                .filter(c -> c.scheme().equals("digest") && (strong ? Digest.isStrong(c) : Digest.isWeak(c)))
                .findFirst()
                .orElse(null);
    }

    // --- proving

    private Future<Answer> prove(Way w, String method, String uri, boolean unasked) {
        return prove(w, method, uri, unasked, List.of());
    }

    private Future<Answer> prove(Way w, String method, String uri, boolean unasked, List<Challenge> offered) {
        if (w.scheme == Scheme.NEGOTIATE) {
            Promise<Answer> answer = loop.newPromise();
            blocking(
                    answer,
                    () -> spnego(w),
                    token -> {
                        if (token == null) {
                            failed(w, offered, method, uri, unasked, new AuthFailure("no Kerberos ticket"), answer);
                        } else {
                            w.legs++;
                            state = State.PROVING;
                            answer.trySuccess(new Answer.Send(
                                    "Negotiate " + Base64.getEncoder().encodeToString(token)));
                        }
                    },
                    failed -> failed(w, offered, method, uri, unasked, failed, answer));
            return answer;
        }
        try {
            return send(quick(w, method, uri));
        } catch (AuthFailure e) {
            Promise<Answer> answer = loop.newPromise();
            failed(w, offered, method, uri, unasked, e, answer);
            return answer;
        }
    }

    /** What needs no waiting. */
    private String quick(Way w, String method, String uri) throws AuthFailure {
        Login login = Objects.requireNonNull(w.login);
        Challenge challenge = w.challenge;
        return switch (w.scheme) {
            case BASIC -> {
                state = State.PROVING;
                yield Basic.answer(login);
            }
            case DIGEST -> {
                Digest session = w.digest;
                if (session == null) {
                    session = new Digest(login, Objects.requireNonNull(challenge), owner.cnonce());
                    w.digest = session;
                }
                state = State.PROVING;
                yield session.answer(method, uri);
            }
            case NTLM -> {
                boolean answers = state == State.HANDSHAKE && challenge != null;
                byte[] message = answers ? ntlm(login, Objects.requireNonNull(challenge)) : Ntlm.negotiate();
                state = answers ? State.PROVING : State.HANDSHAKE;
                yield w.token + " " + Base64.getEncoder().encodeToString(message);
            }
            case NEGOTIATE -> throw new IllegalStateException("waits for a KDC");
        };
    }

    private byte[] ntlm(Login login, Challenge challenge) throws AuthFailure {
        long now = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis()) / 100 + FILETIME_1970;
        return Ntlm.authenticate(
                Ntlm.question(decode(challenge.token())),
                Ntlm.Account.of(login.user(), login.password()),
                "HTTP/" + account.proxy.host(),
                binding.hash(),
                owner.random(8),
                now);
    }

    private static byte[] decode(String token) throws AuthFailure {
        try {
            return Base64.getDecoder().decode(token);
        } catch (IllegalArgumentException e) {
            throw new AuthFailure("the proxy's challenge is not base64");
        }
    }

    /** Blocks: not on the loop. Only one is under way for a connection. */
    private byte @Nullable [] spnego(Way w) throws AuthFailure {
        Kerberos.Holder holder = w.tickets;
        if (holder == null) {
            Login login = w.login;
            holder = w.holder != null
                    ? w.holder
                    : login == null ? owner.tickets() : account.tickets(login, () -> Kerberos.byPassword(login));
            if (login == null && !Identity.of(holder).equals(w.identity)) {
                return null; // somebody else's by now
            }
            w.tickets = holder;
        }
        GSSContext context = w.context;
        Challenge challenge = w.challenge;
        byte[] received = new byte[0];
        if (context == null) {
            context = Kerberos.begin(holder, account.proxy.host());
            w.context = context;
        } else if (challenge != null) {
            received = decode(challenge.token());
        }
        return Kerberos.next(holder, context, received);
    }

    /** This way does not work; perhaps another one does. */
    private void failed(
            Way w,
            List<Challenge> offered,
            String method,
            String uri,
            boolean unasked,
            AuthFailure why,
            Promise<Answer> answer) {
        boolean held = holdsPermit;
        holdsPermit = false;
        excluded.add(w.scheme);
        failure = why.text();
        way = null;
        state = State.IDLE;
        if (why.wrong()) {
            account.refuse(w.identity, why.text());
            answer.trySuccess(new Answer.Refuse(why.text()));
            return;
        }
        if (held) {
            account.giveBack(w.identity);
        }
        if (unasked) {
            answer.trySuccess(new Answer.Send(null));
        } else if (offered.isEmpty()) {
            answer.trySuccess(new Answer.Refuse(why.text()));
        } else {
            pass(choose(offered, method, uri), answer);
        }
    }

    private interface Work<T> {
        @Nullable
        T run() throws AuthFailure;
    }

    private interface Then<T> {
        void on(@Nullable T result);
    }

    /** Off the loop and back. */
    private <T> void blocking(Promise<Answer> answer, Work<T> work, Then<T> then, Consumer<AuthFailure> otherwise) {
        try {
            owner.blocking().execute(() -> {
                T result = null;
                AuthFailure failed = null;
                try {
                    result = work.run();
                } catch (AuthFailure e) {
                    failed = e;
                } catch (RuntimeException e) { // a credential helper's, or the JDK's Kerberos: this connection's end
                    failed = new AuthFailure(
                            "authentication failed: " + e.getClass().getSimpleName());
                }
                back(result, failed, then, otherwise);
            });
        } catch (RejectedExecutionException e) {
            answer.trySuccess(new Answer.Refuse("too many connections authenticate at once"));
        }
    }

    private <T> void back(
            @Nullable T result, @Nullable AuthFailure failed, Then<T> then, Consumer<AuthFailure> otherwise) {
        Runnable apply = () -> {
            if (failed != null) {
                otherwise.accept(failed);
            } else {
                then.on(result);
            }
        };
        if (loop.inEventLoop()) {
            apply.run();
        } else {
            loop.execute(apply);
        }
    }

    private Future<Answer> send(@Nullable String value) {
        return loop.newSucceededFuture(new Answer.Send(value));
    }

    private Future<Answer> refuse(String text) {
        return loop.newSucceededFuture(new Answer.Refuse(text));
    }
}
