import NexaClient
import NexaManual

/// What the command line asks for. Filled by `OptionTable`; nothing here touches the system.
struct Invocation: Sendable, Equatable {
    /// Where the commands of `-e` and `-f` come from, in order.
    enum Source: Sendable, Equatable {
        case command(String)
        case file(String)
    }

    /// Where the password comes from.
    enum PasswordSource: Sendable, Equatable {
        case file(String)
        case descriptor(Int32)
        case standardInput
        case value(String)
        case prompt
    }

    /// When colours are used.
    enum ColourChoice: String, Sendable, CaseIterable {
        case auto, always, never
    }

    /// How long work is reported.
    enum ProgressChoice: String, Sendable, CaseIterable {
        case auto, plain, none
    }

    var host: String?
    var port: UInt16?
    var url: String?
    var localDirectory: String?
    var username: String?
    /// In the order of the command line; the rank of the kinds decides, not the order.
    var passwords: [PasswordSource] = []
    var database: String?
    var collection: String?
    /// `nil`: as the URL and the environment say.
    var tls: NexaConfiguration.TLSOptions?
    var connectTimeout: Duration = .seconds(5)
    /// Zero means no limit.
    var timeout: Duration = .zero

    var sources: [Source] = []
    var isInteractive = false
    /// `nil`: stop for `-e` and `-f`, go on for a script on standard input.
    var stopsOnError: Bool?
    var assumesYes = false

    var format: OutputFormat?
    var limit: Int?
    var shape = OutputShape()
    /// Where data goes instead of standard output.
    var outputFile: String?
    var outputMode = OutputFile.Mode.replace
    /// `nil`: as the environment says, on a terminal.
    var pager: PagerChoice?
    var showsTiming = false
    var colour = ColourChoice.auto
    var progress = ProgressChoice.auto
    var isQuiet = false
    var usesHistory = true
    /// `NAME=VALUE`, in order.
    var variables: [String] = []
    /// Whether nexarc is read.
    var readsStartupFile = true
    /// The file of `--rc`; `nil`: the usual ones, for a person only.
    var startupFile: String?
    var echoesCommands = false
    var isReadOnly = false
    var isVerbose = false

    var showsHelp = false
    var showsManual = false
    var completions: CompletionShell?
    var showsVersion = false
    var showsLicense = false
}

/// The command line is wrong.
struct UsageError: Error, Sendable, Equatable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
