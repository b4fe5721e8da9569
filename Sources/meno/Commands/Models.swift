import ArgumentParser
import Foundation

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and fetches the models that have a name.", subcommands: [List.self, Fetch.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists them.")

        func run() throws {
            for model in CatalogueModel.all {
                print(
                    "\(model.name)\t\(model.description)\t\(model.licence)\t\(model.isFetched ? model.url.path : "not fetched")"
                )
            }
        }
    }

    struct Fetch: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Fetches one into the cache.")

        @Argument(help: "A name of the list.") var name: String

        func validate() throws {
            guard CatalogueModel.all.contains(where: { $0.name == name }) else {
                throw ValidationError(
                    "There is no model \"\(name)\". Names: \(CatalogueModel.all.map(\.name).joined(separator: ", ")).")
            }
        }

        func run() throws {
            try reportingErrors {
                guard let model = CatalogueModel.all.first(where: { $0.name == name }) else { return }
                try model.fetch()
                print(model.url.path)
            }
        }
    }
}
