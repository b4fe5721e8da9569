internal import Foundation

/// What the Hub, or its CDN, answers.
struct HubAnswer {
    var status = 200
    var headers: [String: String] = [:]
    var body = Data()

    private static func error(_ status: Int, _ code: String?, _ message: String) -> HubAnswer {
        var headers = ["X-Error-Message": message]
        headers["X-Error-Code"] = code
        return HubAnswer(status: status, headers: headers, body: Data("{\"error\":\"\(message)\"}".utf8))
    }

    private static let missing = error(404, "RepoNotFound", "Repository not found")

    /// The CDN's answer: files by their checksums, and parts of them.
    static func cdn(_ request: HubServer.Request, _ state: HubState.Values, heedsRange: Bool) -> HubAnswer {
        // What is signed by its address must not be asked for with a token.
        guard request.authorization == nil else { return error(400, nil, "Only one auth mechanism allowed") }
        let name = request.path.split(separator: "?")[0].split(separator: "/").last.map(String.init) ?? ""
        for case let (file, data) in state.repositories.values.flatMap(\.commits.values).joined()
        where ServedRepository.isLarge(file) && ServedRepository.sha256(data) == name {
            return part(of: data, request, heedsRange: heedsRange, ["ETag": "\"\(name.prefix(32))\""])
        }
        return error(404, nil, "Not found")
    }

    private static func part(
        of data: Data, _ request: HubServer.Request, heedsRange: Bool, _ headers: [String: String]
    ) -> HubAnswer {
        var headers = headers
        headers["Accept-Ranges"] = "bytes"
        guard heedsRange, let match = request.range?.firstMatch(of: #/bytes=(\d+)-/#), let start = Int(match.1) else {
            return HubAnswer(headers: headers, body: data)
        }
        guard start < data.count else {
            headers["Content-Range"] = "bytes */\(data.count)"
            return HubAnswer(status: 416, headers: headers)
        }
        headers["Content-Range"] = "bytes \(start)-\(data.count - 1)/\(data.count)"
        return HubAnswer(status: 206, headers: headers, body: data[start...])
    }

    /// The Hub's answer.
    static func hub(_ request: HubServer.Request, _ state: HubState.Values, heedsRange: Bool) -> HubAnswer {
        let (given, query) = split(request.path)
        var path = given
        let isDataset = path.hasPrefix("/api/datasets/") || path.hasPrefix("/datasets/")
        if isDataset {
            path = path.hasPrefix("/api") ? "/api/models/" + path.dropFirst(14) : "/" + path.dropFirst(10)
        }
        if let authorization = request.authorization, authorization != state.token.map({ "Bearer \($0)" }) {
            return error(401, nil, "Invalid credentials in Authorization header")
        }
        let parts = path.split(separator: "/").map { $0.removingPercentEncoding ?? "" }
        if let match = path.wholeMatch(of: #/\/api\/models\/([^\/]+\/[^\/]+)(\/.*)?/#) {
            let id = String(match.1)
            if let other = state.moved[id] {
                return HubAnswer(
                    status: 307, headers: ["Location": "/api/models/\(other)\(match.2 ?? "")\(query)"])
            }
            guard state.repositories[id]?.isDataset ?? isDataset == isDataset else { return missing }
            return api(id, parts, request, state)
        }
        let isCached = path.hasPrefix("/api/resolve-cache/models/")
        let file = isCached ? Array(parts.dropFirst(3)) : parts
        let start = isCached ? 3 : 4
        guard file.count >= start, isCached || file[2] == "resolve" else { return error(404, nil, "Not found") }
        let id = "\(file[0])/\(file[1])"
        if let other = state.moved[id] {
            return HubAnswer(status: 307, headers: ["Location": path.replacing("/\(id)/", with: "/\(other)/")])
        }
        guard let repository = state.repositories[id], isCached || repository.isDataset == isDataset else {
            return missing
        }
        if let refusal = refusal(repository, request, isFile: true) { return refusal }
        let revision = isCached ? file[2] : file[3]
        guard let commit = repository.commit(of: revision) else {
            return error(404, "RevisionNotFound", "Invalid rev id: \(revision)")
        }
        let name = file.dropFirst(start).joined(separator: "/")
        guard let data = repository.commits[commit]?[name] else {
            var answer = error(404, "EntryNotFound", "Entry not found")
            answer.headers["X-Repo-Commit"] = commit
            return answer
        }
        return answer(name, data, of: id, at: commit, isCached: isCached, request, state, heedsRange: heedsRange)
    }

    private static func split(_ path: String) -> (path: String, query: String) {
        let parts = path.split(separator: "?", maxSplits: 1)
        return (String(parts.first ?? ""), parts.count > 1 ? "?\(parts[1])" : "")
    }

    private static func refusal(
        _ repository: ServedRepository, _ request: HubServer.Request, isFile: Bool
    ) -> HubAnswer? {
        guard request.authorization == nil else { return nil }
        if repository.isPrivate { return error(401, "RepoNotFound", "Repository not found") }
        if repository.isGated, isFile {
            return error(401, "GatedRepo", "Access to model \(repository.id) is restricted.")
        }
        return nil
    }

    private static func answer(
        _ name: String, _ data: Data, of id: String, at commit: String, isCached: Bool, _ request: HubServer.Request,
        _ state: HubState.Values, heedsRange: Bool
    ) -> HubAnswer {
        let etag = "\"\(ServedRepository.etag(name, data))\""
        var headers = ["X-Repo-Commit": commit]
        if ServedRepository.isLarge(name) {
            let sha = ServedRepository.sha256(data)
            headers["X-Linked-Size"] = "\(data.count)"
            headers["X-Linked-Etag"] = etag
            headers["X-Xet-Hash"] = String(sha.reversed())
            headers["ETag"] = "\"\(sha.prefix(32))\""
            headers["Location"] = "\(state.cdn)/xorbs/\(sha)?X-Amz-Signature=abc"
            return HubAnswer(status: 302, headers: headers, body: Data("Found".utf8))
        }
        guard isCached else {
            headers["Location"] = "/api/resolve-cache/models/\(id)/\(commit)/\(escaped(name))"
            headers["ETag"] = etag
            return HubAnswer(status: 307, headers: headers, body: Data("Temporary Redirect".utf8))
        }
        headers["ETag"] = etag
        return part(of: data, request, heedsRange: heedsRange, headers)
    }

    private static func escaped(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? name
    }

    private static func api(
        _ id: String, _ parts: [String], _ request: HubServer.Request, _ state: HubState.Values
    ) -> HubAnswer {
        guard let repository = state.repositories[id] else {
            // Whether there is such a repository is nobody's business who is not known.
            return request.authorization == nil ? error(401, "RepoNotFound", "Repository not found") : missing
        }
        if let refusal = refusal(repository, request, isFile: false) { return refusal }
        let revision = parts.count > 5 ? parts[5] : "main"
        guard let commit = repository.commit(of: revision), let files = repository.commits[commit] else {
            return error(404, "RevisionNotFound", "Invalid rev id: \(revision)")
        }
        let object: Any =
            parts.count > 4 && parts[4] == "tree"
            ? files.sorted { $0.key < $1.key }.map(entry)
            : [
                "_id": "0", "id": id, "modelId": id, "sha": commit, "private": repository.isPrivate,
                "gated": repository.isGated ? "manual" : false, "downloads": 0, "likes": 0, "tags": [String](),
                "siblings": files.keys.sorted().map { ["rfilename": $0] },
            ] as [String: Any]
        let body = (try? JSONSerialization.data(withJSONObject: object)) ?? Data()
        return HubAnswer(headers: ["Content-Type": "application/json"], body: body)
    }

    private static func entry(_ file: (key: String, value: Data)) -> [String: Any] {
        var entry: [String: Any] = [
            "type": "file", "path": file.key, "size": file.value.count, "oid": ServedRepository.gitSHA1(file.value),
        ]
        if ServedRepository.isLarge(file.key) {
            let sha = ServedRepository.sha256(file.value)
            entry["lfs"] = ["oid": sha, "size": file.value.count, "pointerSize": 134] as [String: Any]
        }
        return entry
    }
}
