using System.Diagnostics;
using System.Text.Json;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The Dapr SDK for JavaScript, client and server, beside the embedded sidecar, and beside daprd where there is one: code that nobody here wrote decides whether we speak Dapr.</summary>
public sealed class JavaScriptPeerTests
{
    /// <summary>Only types that a daprd has within itself, so that the suite is the same beside both.</summary>
    private const string Components = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: statestore }
        spec: { type: state.in-memory, version: v1, metadata: [{ name: actorStateStore, value: "true" }] }
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: pubsub }
        spec: { type: pubsub.in-memory, version: v1, metadata: [] }
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: wild }
        spec: { type: pubsub.in-memory, version: v1, metadata: [] }
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies: { retries: { quick: { policy: constant, duration: 10ms, maxRetries: 5 } } }
          targets: { components: { pubsub: { inbound: { retry: quick } } } }
        """;

    private static readonly string Folder = FindFolder();

    private static string? MissingPart =>
        !Directory.Exists(Path.Combine(Folder, "node_modules", "@dapr", "dapr")) ? $"{Folder} has no node_modules: run npm ci there" : FindNode() is null ? "node is not on the PATH" : null;

    [Fact]
    public async Task Sdk_BesideTheEmbeddedSidecar_SeesWhatDaprPromises()
    {
        Assert.SkipWhen(MissingPart is not null, MissingPart ?? "");
        await using var cluster = await TestCluster.OpenAsync(Components);
        var port = LoopbackPort.AnyFree();
        var sidecar = await cluster.StartSidecarAsync("js", port);

        var seen = await RunAsync(port, sidecar.HttpPort, hasActors: true);

        Check(seen, hasActors: true);
        await sidecar.Stopped.WaitAsync(TestContext.Current.CancellationToken); // The SDK's last call was shutdown.
    }

    [Fact]
    public async Task Sdk_BesideDaprd_SeesTheSame()
    {
        Assert.SkipWhen(MissingPart is not null, MissingPart ?? "");
        Assert.SkipWhen(Daprd.Find() is null, "daprd is not on the PATH and not in ~/.dapr/bin: only the embedded sidecar was under test");
        var port = LoopbackPort.AnyFree();
        await using var daprd = await Daprd.StartAsync("js", port, Components);

        var seen = await RunAsync(port, daprd.HttpPort, daprd.HasActors);

        Check(seen, daprd.HasActors);
    }

    private static void Check(JsonElement seen, bool hasActors)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"The sidecar under test says that its version is {seen.GetProperty("runtimeVersion").GetString()}; actors: {hasActors}.");
        Assert.True(seen.GetProperty("healthy").GetBoolean());
        Assert.Equal("""{"id":"js","colour":"blue"}""", seen.GetProperty("metadata").GetRawText());
        Assert.Contains("you", seen.GetProperty("invoke").GetRawText(), StringComparison.Ordinal);
        Assert.Equal("""[{"query":"/things/7?x=1","own":"mine"},{"put":"{\"n\":1}"},{"gone":true}]""", seen.GetProperty("verbs").GetRawText());
        Assert.True(seen.GetProperty("nobody").GetBoolean());
        Assert.Equal("""["text",{"n":1},""]""", seen.GetProperty("state").GetRawText());
        Assert.Equal("""[["a","text"],["c",3],["nobody",null]]""", seen.GetProperty("bulk").GetRawText());
        Assert.True(seen.GetProperty("staleSave").GetBoolean());
        Assert.True(seen.GetProperty("staleDelete").GetBoolean());
        Assert.Equal("""[1,""]""", seen.GetProperty("transaction").GetRawText());
        Assert.Equal(0, seen.GetProperty("bulkFailures").GetInt32());

        // The SDK gives a topic's first callback every route, and a route's own callback besides: order 3 is seen by both.
        Assert.Equal(
            [
                "again:1", "again:2", "again:3", "batch:{\"n\":1}", "batch:{\"n\":2}", "dead:{\"order\":4}", "default:{\"order\":2}", "default:{\"order\":3}",
                "plain:\"five\"", "plain:{\"order\":1}", "plain:{\"order\":6}", "special:{\"order\":3}", "wild:{\"celsius\":21}",
            ],
            seen.GetProperty("events").EnumerateArray().Select(e => e.GetString()));
        if (hasActors)
        {
            Assert.Equal(10, seen.GetProperty("count").GetInt32());
            Assert.True(seen.GetProperty("fired").GetBoolean());
            Assert.Equal("""[{"type":"CounterActor","count":1}]""", seen.GetProperty("actors").GetRawText());
        }
    }

    private static async Task<JsonElement> RunAsync(int appPort, int sidecarPort, bool hasActors)
    {
        var start = new ProcessStartInfo(FindNode()!, ["peer.mjs"])
        {
            WorkingDirectory = Folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["APP_PORT"] = appPort.ToString(), ["DAPR_HTTP_PORT"] = sidecarPort.ToString() },
        };
        if (!hasActors)
        {
            start.Environment["NO_ACTORS"] = "1";
        }

        using var node = Process.Start(start)!;
        try
        {
            var errors = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            var output = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await node.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(node.ExitCode == 0, $"node ended with {node.ExitCode}: {output} {await errors}");
            return JsonDocument.Parse(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement.Clone();
        }
        finally
        {
            if (!node.HasExited)
            {
                node.Kill();
            }
        }
    }

    private static string? FindNode() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "node.exe" : "node")).FirstOrDefault(File.Exists);

    private static string FindFolder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
        {
            folder = folder.Parent;
        }

        return Path.Combine(folder?.FullName ?? "", "tests", "node", "dapr");
    }
}
