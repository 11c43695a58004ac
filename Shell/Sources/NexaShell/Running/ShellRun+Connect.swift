import Glibc
import NexaClient

/// `\connect` and `\reconnect`.
extension ShellRun {
    /// Connects to the server of a URL, or once more to the present one. The old connection stays until that succeeds.
    func connectAnew(_ url: String?, _ session: Session, _ runner: TaskRunner) -> CommandLoop.Connected {
        var configuration: NexaConfiguration
        var location: Location?
        switch runner.run(Interruption(), { await session.server.client.configuration }) {
        case .signal(let signal): return .signal(signal)
        case .finished(let present): configuration = present
        }
        var opening = invocation
        if let url {
            opening.localDirectory = nil
            do throws(ShellError) {
                let plan = try target(url)
                location = plan.location
                configuration = try withPassword(plan, instead: configuration)
            } catch {
                return error.exit == .interrupted ? .signal(SIGINT) : .failure(error)
            }
        }
        let outcome = runner.run(Interruption()) { [opening, environment, configuration, meter] in
            await Self.connect(opening, configuration, environment, meter)
        }
        switch outcome {
        case .signal(let signal): return .signal(signal)
        case .finished(.failure(let error)): return .failure(error)
        case .finished(.success(let running)): return .success(running, location)
        }
    }

    /// `host`, `host:port` or a whole URL.
    private func target(_ text: String) throws(ShellError) -> ConnectionPlan {
        var other = Invocation()
        other.tls = invocation.tls
        other.connectTimeout = invocation.connectTimeout
        other.timeout = invocation.timeout
        let url = text.contains("://") ? text : "nexadb://\(text)"
        do throws(UsageError) {
            return try ConnectionPlan(other, environment: ["NEXADB_URI": url])
        } catch {
            throw ShellError(error.description)
        }
    }

    /// The password of the URL, else the present one for the same user of the same server, else as at the start, but
    /// never that of the command line or the environment: it is meant for another server.
    private func withPassword(
        _ plan: ConnectionPlan, instead present: NexaConfiguration
    ) throws(ShellError) -> NexaConfiguration {
        var configuration = plan.configuration
        guard configuration.credentials?.password == nil else { return configuration }
        if present.endpoints == configuration.endpoints, present.credentials?.username == plan.username {
            configuration.credentials = present.credentials
            return configuration
        }
        do throws(PasswordError) {
            let finder = PasswordFinder(
                invocation: Invocation(), environment: environment.filter { $0.key == "HOME" }, standardInput: nil,
                signals: signals)
            var password = try finder.find(plan).password
            if password == nil, self.plan.prompts {
                password = try PasswordFinder.prompt("Password: ", signals: signals)
            }
            configuration.credentials = .init(username: plan.username, password: password)
        } catch {
            switch error {
            case .signal: throw ShellError("Cancelled", exit: .interrupted)
            case .unusable(let reason): throw ShellError(reason)
            }
        }
        return configuration
    }
}
