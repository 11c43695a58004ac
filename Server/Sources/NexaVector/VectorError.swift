/// Why a vector, an index or an image of one was refused.
public struct VectorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it was; stable, for programs.
    public enum Code: String, Sendable, Hashable {
        /// The vector's length is not that of the index.
        case wrongDimensions
        /// A component is NaN or infinite, or so large that the vector's length is.
        case notFinite
        /// The id is empty or longer than 1025 bytes.
        case invalidID
        /// A parameter is outside its range.
        case invalidConfiguration
        /// No memory for another row, or 2³¹ rows are in use.
        case outOfMemory
        /// The image is cut, damaged, or no image at all.
        case corrupted
        /// The image was written by a newer version of the format.
        case formatTooNew
        /// The image is one of an index that is configured otherwise.
        case otherConfiguration
        /// The operating system refused a file operation.
        case inputOutput
        /// No room left on the device.
        case diskFull
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, with the file, limit or number concerned.
    public var message: String
    /// What to do about it.
    public var advice: String

    /// An error made of its parts.
    public init(_ code: Code, _ message: String, advice: String) {
        self.code = code
        self.message = message
        self.advice = advice
    }

    /// The message and what to do.
    public var description: String { "\(message). \(advice)" }
}
