import Glibc
import NexaBenchmark

@main
struct Main {
    static func main() {
        exit(BenchmarkCommand.run(Array(CommandLine.arguments.dropFirst())))
    }
}
