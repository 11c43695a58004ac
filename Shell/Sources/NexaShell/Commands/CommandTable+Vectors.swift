/// The commands about vectors.
extension CommandTable {
    static let vectors: [CommandSpecification] = [
        .init(
            section: .vectors, names: ["vector_search"],
            usage: "vector_search [0.1, 0.2, 0.3] [limit] [dimensions]", summary: "Search by vector similarity",
            arguments: [.vector, .text], isInOriginalHelp: true
        ) { (session, call) async throws(ShellError) in
            try session.vectorSearch(call.arguments, call.specification)
            return .none
        }
    ]
}
