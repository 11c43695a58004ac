import NexaClient
import NexaValue

/// The commands about vectors.
extension Session {
    func vectorSearch(_ arguments: ArgumentReader, _ command: CommandSpecification) throws(ShellError) {
        _ = try collection()
        var arguments = arguments
        guard !arguments.isAtEnd() else { throw .plain("Vector required", hint: "Usage: \(command.usage)") }
        throw ShellError("vector_search is not supported by this version")
    }
}
