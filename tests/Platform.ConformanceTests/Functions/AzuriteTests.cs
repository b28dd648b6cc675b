using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Azure.Storage.Queues;
using Platform.Local;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 7 to 9 on Azure Storage queues, with Azurite as the other side.</summary>
[Trait("Needs", "azurite")]
public sealed class AzuriteTests : IAsyncLifetime
{
    private Process? _azurite;
    private string _connection = "";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (Find() is not { } program)
        {
            return;
        }

        var port = LoopbackPort.AnyFree();
        _azurite = Process.Start(new ProcessStartInfo(program, ["--queueHost", "127.0.0.1", "--queuePort", $"{port}", "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        _connection = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;QueueEndpoint=http://127.0.0.1:{port}/devstoreaccount1;";
        while (!await AcceptsAsync(port))
        {
            await Task.Delay(50, Cancel);
        }
    }

    public ValueTask DisposeAsync()
    {
        _azurite?.Kill(entireProcessTree: true);
        _azurite?.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Message_OfAnotherClient_RunsTheFunctionAndIsDeleted()
    {
        await using var app = await StartAsync(new TestFunctionApp().Queue("Work", "work", """,{"type":"queue","direction":"out","name":"next","queueName":"out"}""").Answer("Work", """{"body":{"Outputs":{"next":{"n":1}}}}"""));
        var work = Client("work");
        var output = Client("out");

        await work.SendMessageAsync(Convert.ToBase64String("hello"u8), Cancel);
        var envelope = (await app.InvocationsAsync("Work", 1))[0]["envelope"]!;
        var sent = await ReceiveAsync(output);

        Assert.Equal("\"hello\"", envelope["Data"]!["job"]!.GetValue<string>());
        Assert.Equal("1", envelope["Metadata"]!["DequeueCount"]!.GetValue<string>());
        Assert.Equal("""{"n":1}""", Encoding.UTF8.GetString(Convert.FromBase64String(sent)));
        while ((await work.GetPropertiesAsync(Cancel)).Value.ApproximateMessagesCount > 0)
        {
            await Task.Delay(20, Cancel);
        }
    }

    [Fact]
    public async Task Message_ThatAlwaysFails_EndsInThePoisonQueue()
    {
        await using var app = await StartAsync(new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":99}"""));

        await Client("work").SendMessageAsync(Convert.ToBase64String("bad"u8), Cancel);

        Assert.Equal("bad", Encoding.UTF8.GetString(Convert.FromBase64String(await ReceiveAsync(Client("work-poison")))));
        Assert.Equal(5, (await app.InvocationsAsync("Work", 5)).Count);
    }

    [Fact]
    public async Task Message_ThatIsNotBase64_EndsInThePoisonQueueUnread()
    {
        await using var app = await StartAsync(new TestFunctionApp().Queue("Work", "work"));

        await Client("work").SendMessageAsync("no base64!", Cancel);

        Assert.Equal("no base64!", await ReceiveAsync(Client("work-poison")));
        Assert.False(File.Exists(app.Record));
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

    private static async Task<string> ReceiveAsync(QueueClient queue)
    {
        while (true)
        {
            if (await queue.ExistsAsync(Cancel) && (await queue.ReceiveMessageAsync(cancellationToken: Cancel)).Value is { } message)
            {
                return message.Body.ToString();
            }

            await Task.Delay(50, Cancel);
        }
    }

    private async Task<TestFunctionApp> StartAsync(TestFunctionApp app)
    {
        Assert.SkipWhen(_azurite is null, "azurite-queue is not on the PATH, nor in AZURITE_BIN; npm install -g azurite@3.37.0 brings it.");
        TestFunctionApp.NeedsNode();
        var work = Client("work");
        await work.CreateIfNotExistsAsync(cancellationToken: Cancel);
        return await app.With("AzureWebJobsStorage", _connection).StartAsync();
    }

    private QueueClient Client(string name) => new(_connection, name, new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None });
}
