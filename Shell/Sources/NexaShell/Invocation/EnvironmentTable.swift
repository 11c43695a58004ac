/// Every variable of the environment that the shell and the client in it read. The manual is made of it.
enum EnvironmentTable {
    struct Row: Sendable {
        var names: [String]
        var summary: String
    }

    /// Those that hold secrets: they are taken out of the environment, so that no child inherits them.
    static let secrets = ["NEXADB_PASSWORD", "NEXA_PASSWORD", "NEXADB_URI"]

    static let rows: [Row] = [
        Row(names: ["NEXADB_URI"], summary: "The server, user and database in one URL, as --url."),
        Row(names: ["NEXADB_HOST", "NEXADB_BINARY_PORT"], summary: "The server."),
        Row(
            names: ["NEXADB_USERNAME", "NEXADB_DATABASE"],
            summary: "The user, and the database to start in."),
        Row(
            names: ["NEXADB_PASSWORD", "NEXA_PASSWORD"],
            summary: "The password. Commands that nexa starts do not inherit it."),
        Row(
            names: ["NEXADB_PASSWORD_FILE", "NEXA_PASSWORD_FILE"],
            summary: "A file with the password, which only its owner may read."),
        Row(
            names: ["NEXADB_TLS", "NEXADB_TLS_CA_FILE"],
            summary: "true encrypts the connection; the authorities that are trusted."),
        Row(names: ["NEXADB_SERVER"], summary: "The nexadb that --local runs, when there is none beside nexa."),
        Row(names: ["NEXA_RC"], summary: "The start-up file, instead of ~/.nexarc; empty: none."),
        Row(names: ["NEXA_HISTFILE"], summary: "The file of the history."),
        Row(names: ["NEXA_PAGER", "PAGER"], summary: "What shows long results on a terminal (less)."),
        Row(
            names: ["NEXA_COMPAT_EXIT"],
            summary: "1: scripts on standard input end with 0 after failed commands, as in NexaDB 3.0."),
        Row(names: ["VISUAL", "EDITOR"], summary: "The editor for commands."),
        Row(names: ["NO_COLOR", "CLICOLOR_FORCE", "TERM"], summary: "Whether colours are used."),
        Row(
            names: ["HOME", "XDG_CONFIG_HOME"],
            summary: "Where the files below are; nexa/nexarc in the second comes before ~/.nexarc."),
        Row(names: ["TMPDIR"], summary: "Where temporary files are made (/tmp)."),
        Row(names: ["PATH"], summary: "Where nexadb and less are looked for."),
        Row(names: ["SHELL"], summary: "What \\! runs commands with (/bin/sh).")
    ]
}
