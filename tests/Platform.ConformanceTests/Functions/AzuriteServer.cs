using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Azure.Storage.Queues;
using Platform.Local;

namespace Platform.ConformanceTests.Functions;

/// <summary>A real Azurite with empty queues, for as long as a test runs; skips the test where there is none.</summary>
internal sealed class AzuriteServer : IDisposable
{
    private readonly Process _process;

    private AzuriteServer(Process process, string connection)
    {
        _process = process;
        Connection = connection;
    }

    /// <summary>The storage connection string.</summary>
    public string Connection { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<AzuriteServer> StartAsync()
    {
        var program = Find();
        Assert.SkipWhen(program is null, "azurite-queue is not on the PATH, nor in AZURITE_BIN; npm install -g azurite@3.37.0 brings it.");
        TestFunctionApp.NeedsNode();
        var port = LoopbackPort.AnyFree();
        var process = Process.Start(new ProcessStartInfo(program!, ["--queueHost", "127.0.0.1", "--queuePort", $"{port}", "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        while (!await AcceptsAsync(port))
        {
            await Task.Delay(50, Cancel);
        }

        return new AzuriteServer(process, $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;QueueEndpoint=http://127.0.0.1:{port}/devstoreaccount1;");
    }

    /// <summary>A foreign client: the texts as they are stored.</summary>
    public QueueClient Client(string name) => new(Connection, name, new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None });

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private static string? Find()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append(Environment.GetEnvironmentVariable("AZURITE_BIN") ?? "");
        return folders.Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, "azurite-queue")).FirstOrDefault(File.Exists);
    }

    private static async Task<bool> AcceptsAsync(int port)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, Cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
