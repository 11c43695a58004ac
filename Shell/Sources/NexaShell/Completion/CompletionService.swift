import NexaClient

/// Completion of a session: the catalog, and the connection that fills it.
final class CompletionService: Sendable {
    let catalog: CompletionCatalog
    private let loader = CatalogLoader()

    init() {
        catalog = CompletionCatalog { [loader] key in await loader.load(key) }
    }

    /// The session is connected to this server now.
    func connected(_ configuration: NexaConfiguration) async {
        let last = loader.use(configuration)
        catalog.forget()
        await last?.shutdown(drainingFor: .zero)
    }

    /// The first server of the session.
    func begin(_ configuration: NexaConfiguration) { _ = loader.use(configuration) }

    /// Closes the connection.
    func close() async { await loader.close() }
}
