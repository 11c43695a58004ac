import Glibc
import NexaShell

@main
struct Main {
    static func main() { exit(Shell.main()) }
}
