using System.Text;
using Azure.Storage.Queues;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 7 to 9 on Azure Storage queues, with Azurite as the other side.</summary>
[Trait("Needs", "azurite")]
public sealed class AzuriteTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Message_OfAnotherClient_RunsTheFunctionAndIsDeleted()
    {
        using var azurite = await AzuriteServer.StartAsync();
        await using var app = await StartAsync(azurite, new TestFunctionApp().Queue("Work", "work", """,{"type":"queue","direction":"out","name":"next","queueName":"out"}""").Answer("Work", """{"body":{"Outputs":{"next":{"n":1}}}}"""));
        var work = azurite.Client("work");
        var output = azurite.Client("out");

        await work.SendMessageAsync(Convert.ToBase64String("hello"u8), Cancel);
        var envelope = (await app.InvocationsAsync("Work", 1))[0]["envelope"]!;
        var sent = await ReceiveAsync(output);

        Assert.Equal("\"hello\"", envelope["Data"]!["job"]!.GetValue<string>());
        Assert.Equal("1", envelope["Metadata"]!["DequeueCount"]!.GetValue<string>());
        Assert.Equal("""{"n":1}""", Encoding.UTF8.GetString(Convert.FromBase64String(sent)));
        await UntilEmptyAsync(work);
    }

    [Fact]
    public async Task Message_ThatAlwaysFails_EndsInThePoisonQueue()
    {
        using var azurite = await AzuriteServer.StartAsync();
        await using var app = await StartAsync(azurite, new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":99}"""));

        await azurite.Client("work").SendMessageAsync(Convert.ToBase64String("bad"u8), Cancel);

        Assert.Equal("bad", Encoding.UTF8.GetString(Convert.FromBase64String(await ReceiveAsync(azurite.Client("work-poison")))));
        var counts = (await app.InvocationsAsync("Work", 5)).Select(seen => seen["envelope"]!["Metadata"]!["DequeueCount"]!.GetValue<string>());
        Assert.Equal(["1", "2", "3", "4", "5"], counts);
        await UntilEmptyAsync(azurite.Client("work"));
    }

    [Fact]
    public async Task Message_TakenTooOftenBefore_EndsInThePoisonQueueUnread()
    {
        using var azurite = await AzuriteServer.StartAsync();
        var work = azurite.Client("work");
        await work.CreateAsync(cancellationToken: Cancel);
        await work.SendMessageAsync(Convert.ToBase64String("bad"u8), Cancel);
        var taken = (await work.ReceiveMessageAsync(TimeSpan.FromMinutes(1), Cancel)).Value;
        await work.UpdateMessageAsync(taken.MessageId, taken.PopReceipt, visibilityTimeout: TimeSpan.Zero, cancellationToken: Cancel);
        var app = new TestFunctionApp().Queue("Work", "work");
        app.HostJson["extensions"]!["queues"]!["maxDequeueCount"] = 1;
        await using var running = await StartAsync(azurite, app);

        Assert.Equal("bad", Encoding.UTF8.GetString(Convert.FromBase64String(await ReceiveAsync(azurite.Client("work-poison")))));
        await UntilEmptyAsync(work);
        Assert.False(File.Exists(app.Record));
    }

    [Fact]
    public async Task Encoding_None_TakesPlainTextAndWritesIt()
    {
        using var azurite = await AzuriteServer.StartAsync();
        var app = new TestFunctionApp()
            .Queue("Work", "work", """,{"type":"queue","direction":"out","name":"next","queueName":"out"}""")
            .Answer("Work", """{"body":{"Outputs":{"next":"went on!"}}}""");
        app.HostJson["extensions"]!["queues"]!["messageEncoding"] = "none";
        await using var running = await StartAsync(azurite, app);

        await azurite.Client("work").SendMessageAsync("plain text", Cancel);

        Assert.Equal("went on!", await ReceiveAsync(azurite.Client("out")));
        Assert.Equal("\"plain text\"", (await app.InvocationsAsync("Work", 1))[0]["envelope"]!["Data"]!["job"]!.GetValue<string>());
    }

    [Fact]
    public async Task Message_ThatIsNotBase64_EndsInThePoisonQueueUnread()
    {
        using var azurite = await AzuriteServer.StartAsync();
        await using var app = await StartAsync(azurite, new TestFunctionApp().Queue("Work", "work"));

        await azurite.Client("work").SendMessageAsync("no base64!", Cancel);

        Assert.Equal("no base64!", await ReceiveAsync(azurite.Client("work-poison")));
        Assert.False(File.Exists(app.Record));
    }

    [Fact]
    public async Task Queues_DeletedWhileTheHostRuns_AreWrittenAgainAndWaitedFor()
    {
        using var azurite = await AzuriteServer.StartAsync();
        await using var app = await StartAsync(azurite, new TestFunctionApp().Queue("Work", "work", """,{"type":"queue","direction":"out","name":"next","queueName":"out"}""").Answer("Work", """{"body":{"Outputs":{"next":"went on!"}}}"""));
        var (work, output) = (azurite.Client("work"), azurite.Client("out"));
        await work.SendMessageAsync(Convert.ToBase64String("one"u8), Cancel);
        await ReceiveAsync(output);

        await output.DeleteAsync(Cancel);
        await work.SendMessageAsync(Convert.ToBase64String("two"u8), Cancel);
        var afterOutput = await ReceiveAsync(output);
        await work.DeleteAsync(Cancel);
        await work.CreateAsync(cancellationToken: Cancel);
        await work.SendMessageAsync(Convert.ToBase64String("three"u8), Cancel);
        var afterWork = await ReceiveAsync(output);

        Assert.Equal(("went on!", "went on!"), (Text(afterOutput), Text(afterWork)));
        Assert.Equal(["\"one\"", "\"two\"", "\"three\""], (await app.InvocationsAsync("Work", 3)).Select(seen => seen["envelope"]!["Data"]!["job"]!.GetValue<string>()));
        Assert.False(await azurite.Client("work-poison").ExistsAsync(Cancel));
    }

    [Fact]
    public async Task Queue_ThatIsMissing_IsWaitedForAndNotMade()
    {
        using var azurite = await AzuriteServer.StartAsync();
        var time = new ImpatientTime();
        var queue = AzureStorageQueue.Open(azurite.Connection, "AzureWebJobsStorage", "work", time);

        Assert.Empty(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(1), Cancel));
        Assert.False(await azurite.Client("work").ExistsAsync(Cancel));
        await queue.SendAsync("one", Cancel);

        Assert.Equal("one", Assert.Single(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(1), Cancel)).Text);
    }

    [Fact]
    public async Task Wait_OnAnEmptyQueue_GrowsFrom100MillisecondsToTheLongestAndBeginsAnewWithAMessage()
    {
        using var azurite = await AzuriteServer.StartAsync();
        var time = new ImpatientTime();
        var queue = AzureStorageQueue.Open(azurite.Connection, "AzureWebJobsStorage", "work", time);
        var longest = TimeSpan.FromSeconds(2);

        for (var i = 0; i < 30; i++)
        {
            Assert.Empty(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(1), Cancel));
            await queue.WaitAsync(longest, Cancel);
        }

        var empty = time.Waits.ToList();
        await queue.SendAsync("one", Cancel);
        Assert.Single(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(1), Cancel));
        await queue.WaitAsync(longest, Cancel);

        Assert.Equal((TimeSpan.FromMilliseconds(100), longest, TimeSpan.FromMilliseconds(100)), (empty[0], empty[^1], time.Waits[^1]));
        Assert.Equal(empty.Order(), empty);
    }

    private static string Text(string message) => Encoding.UTF8.GetString(Convert.FromBase64String(message));

    private static async Task UntilEmptyAsync(QueueClient queue)
    {
        while ((await queue.GetPropertiesAsync(Cancel)).Value.ApproximateMessagesCount > 0)
        {
            await Task.Delay(20, Cancel);
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

    private static async Task<TestFunctionApp> StartAsync(AzuriteServer azurite, TestFunctionApp app)
    {
        await azurite.Client("work").CreateIfNotExistsAsync(cancellationToken: Cancel);
        return await app.With("AzureWebJobsStorage", azurite.Connection).StartAsync();
    }

    /// <summary>Remembers how long it was asked to wait, and waits no time at all.</summary>
    private sealed class ImpatientTime : TimeProvider
    {
        public List<TimeSpan> Waits { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waits.Add(dueTime);
            return base.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
