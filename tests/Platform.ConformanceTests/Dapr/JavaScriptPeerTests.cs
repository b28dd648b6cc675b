using System.Diagnostics;
using System.Text.Json;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The Dapr SDK for JavaScript, client and server, against the embedded sidecar: code that nobody here wrote decides whether we speak Dapr.</summary>
public sealed class JavaScriptPeerTests
{
    private static readonly string Folder = FindFolder();

    private static string? MissingPart =>
        !Directory.Exists(Path.Combine(Folder, "node_modules", "@dapr", "dapr")) ? $"{Folder} has no node_modules: run npm ci there" : FindNode() is null ? "node is not on the PATH" : null;

    [Fact]
    public async Task Sdk_AsClientAndApp_SeesWhatDaprPromises()
    {
        Assert.SkipWhen(MissingPart is not null, MissingPart ?? "");
        await using var cluster = await TestCluster.OpenAsync();
        var port = LoopbackPort.AnyFree();
        var sidecar = await cluster.StartSidecarAsync("js", port);

        var seen = await RunAsync(port, sidecar.HttpPort);

        Assert.True(seen.GetProperty("healthy").GetBoolean());
        Assert.Equal("""{"id":"js","colour":"blue","actors":[{"type":"CounterActor","count":0}]}""", seen.GetProperty("metadata").GetRawText());
        Assert.Contains("you", seen.GetProperty("invoke").GetRawText(), StringComparison.Ordinal);
        Assert.Equal("""["text",{"n":1},""]""", seen.GetProperty("state").GetRawText());
        Assert.Equal("""[["a","text"],["c",3],["nobody",null]]""", seen.GetProperty("bulk").GetRawText());
        Assert.True(seen.GetProperty("staleSave").GetBoolean());
        Assert.True(seen.GetProperty("staleDelete").GetBoolean());
        Assert.Equal("""[1,""]""", seen.GetProperty("transaction").GetRawText());
        Assert.Equal(0, seen.GetProperty("bulkFailures").GetInt32());

        // The SDK gives a topic's first callback every route, and a route's own callback besides: order 3 is seen by both.
        Assert.Equal(
            ["dead:{\"order\":4}", "default:{\"order\":2}", "default:{\"order\":3}", "plain:\"five\"", "plain:{\"order\":1}", "plain:{\"order\":6}", "special:{\"order\":3}"],
            seen.GetProperty("events").EnumerateArray().Select(e => e.GetString()));
        Assert.Equal(10, seen.GetProperty("count").GetInt32());
        Assert.True(seen.GetProperty("fired").GetBoolean());
    }

    private static async Task<JsonElement> RunAsync(int appPort, int sidecarPort)
    {
        var start = new ProcessStartInfo(FindNode()!, ["peer.mjs"])
        {
            WorkingDirectory = Folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["APP_PORT"] = appPort.ToString(), ["DAPR_HTTP_PORT"] = sidecarPort.ToString() },
        };
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
