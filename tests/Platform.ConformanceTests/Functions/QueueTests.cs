using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 7 to 11 and 13, on the embedded queue: encodings, attempts, poison, concurrency, outputs.</summary>
public sealed class QueueTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Text_OfAMessage_IsAStringThatHoldsItsJson()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").StartAsync();

        await app.SendAsync("work", "hello");
        var envelope = (await app.InvocationsAsync("Work", 1))[0]["envelope"]!;

        Assert.Equal("\"hello\"", envelope["Data"]!["job"]!.GetValue<string>());
        Assert.Equal("1", envelope["Metadata"]!["DequeueCount"]!.GetValue<string>());
        Assert.StartsWith("\"", envelope["Metadata"]!["Id"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.True(DateTimeOffset.TryParse(envelope["Metadata"]!["InsertionTime"]!.GetValue<string>(), out _));
    }

    [Fact]
    public async Task Json_OfAMessage_IsEncodedTwiceAndMergedIntoMetadata()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").StartAsync();

        await app.SendAsync("work", """{"name":"a","Id":"mine","list":[1]}""");
        var envelope = (await app.InvocationsAsync("Work", 1))[0]["envelope"]!;

        Assert.Equal("""{"name":"a","Id":"mine","list":[1]}""", JsonNode.Parse(envelope["Data"]!["job"]!.GetValue<string>())!.GetValue<string>());
        Assert.Equal("\"a\"", envelope["Metadata"]!["name"]!.GetValue<string>());
        Assert.Equal("\"mine\"", envelope["Metadata"]!["Id"]!.GetValue<string>());
        Assert.False(envelope["Metadata"]!.AsObject().ContainsKey("list"));
    }

    [Fact]
    public async Task Message_ThatFailsFiveTimes_IsPoison()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":99}""").StartAsync();

        await app.SendAsync("work", "bad");
        var poison = await app.MessagesAsync("work-poison", 1);
        var counts = (await app.InvocationsAsync("Work", 5)).Select(seen => seen["envelope"]!["Metadata"]!["DequeueCount"]!.GetValue<string>());

        Assert.Equal(["bad"], poison);
        Assert.Equal(["1", "2", "3", "4", "5"], counts);
        await EmptyAsync(app, "work");
    }

    [Fact]
    public async Task Message_ThatFailsAtFirst_SucceedsAfterTheVisibilityTimeoutAndIsGone()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"failures":2}""");
        app.HostJson["extensions"]!["queues"]!["visibilityTimeout"] = "00:00:00.300";
        await app.StartAsync();

        await app.SendAsync("work", "good");
        var seen = await app.InvocationsAsync("Work", 3);
        var begins = seen.Select(one => long.Parse(one["begin"]!.GetValue<string>()) / 1_000_000).ToList();

        await EmptyAsync(app, "work");
        Assert.Equal(0, app.Host.Queues.Open("work-poison").Count);
        Assert.All(begins.Zip(begins.Skip(1)), pair => Assert.True(pair.Second - pair.First >= 290, $"attempts at {string.Join(", ", begins)} ms"));
    }

    [Fact]
    public async Task Message_TakenTooOftenBefore_IsPoisonWithoutARun()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Pid", "pid");
        app.HostJson["extensions"]!["queues"]!["maxDequeueCount"] = 1;
        await app.StartAsync();
        await app.SendAsync("work", "bad");
        var taken = Assert.Single(await app.Host.Queues.Open("work").ReceiveAsync(1, TimeSpan.FromMinutes(1), Cancel));
        await app.Host.Queues.Open("work").SetVisibilityAsync(taken.Id, taken.PopReceipt, TimeSpan.Zero, Cancel);
        await app.StopAsync();

        app.Queue("Work", "work");
        await app.StartAsync();

        Assert.Equal(["bad"], await app.MessagesAsync("work-poison", 1));
        await EmptyAsync(app, "work");
        Assert.False(File.Exists(app.Record));
    }

    [Fact]
    public async Task Message_ThatFailsInAPoisonQueue_StaysThereHidden()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Queue("Work", "work-poison").Answer("Work", """{"failures":99}""");
        app.HostJson["extensions"]!["queues"]!["maxDequeueCount"] = 1;
        await app.StartAsync();

        await app.SendAsync("work-poison", "first");
        await app.InvocationsAsync("Work", 1);
        await app.SendAsync("work-poison", "second");
        await app.InvocationsAsync("Work", 2);
        await TestFunctionApp.UntilAsync(() => app.Log.Count(line => line.StartsWith("Error: Invocation", StringComparison.Ordinal)) == 2);
        await app.StopAsync();

        Assert.Equal(["work-poison"], app.Host.Queues.Names);
        Assert.Equal((2, 0), (app.Host.Queues.Open("work-poison").Count, app.Host.Queues.Open("work-poison").VisibleCount));
    }

    [Fact]
    public async Task Text_ThatIsNotBase64_IsPoisonWithoutARun()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").StartAsync();

        await app.Host.Queues.Open("work").SendAsync("no base64!", Cancel);

        Assert.Equal(["no base64!"], await app.MessagesAsync("work-poison", 1, base64: false));
        Assert.False(File.Exists(app.Record));
    }

    [Fact]
    public async Task Encoding_None_TakesPlainTextAndWritesIt()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp()
            .Queue("Work", "work", """,{"type":"queue","direction":"out","name":"next","queueName":"out"}""")
            .Answer("Work", """{"body":{"Outputs":{"next":"went on!"}}}""");
        app.HostJson["extensions"]!["queues"]!["messageEncoding"] = "none";
        await app.StartAsync();

        await app.Host.Queues.Open("work").SendAsync("plain text", Cancel);

        Assert.Equal(["went on!"], await app.MessagesAsync("out", 1, base64: false));
        Assert.Equal("\"plain text\"", (await app.InvocationsAsync("Work", 1))[0]["envelope"]!["Data"]!["job"]!.GetValue<string>());
    }

    [Fact]
    public async Task BatchSize_OneWithThresholdZero_IsStrictlySerial()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Queue("Work", "work").Answer("Work", """{"delayMs":60}""");
        app.HostJson["extensions"]!["queues"]!["batchSize"] = 1;
        app.HostJson["extensions"]!["queues"]!["newBatchThreshold"] = 0;
        await app.StartAsync();

        for (var i = 0; i < 4; i++)
        {
            await app.SendAsync("work", $"{i}");
        }

        var begins = (await app.InvocationsAsync("Work", 4)).Select(one => long.Parse(one["begin"]!.GetValue<string>()) / 1_000_000).ToList();
        Assert.All(begins.Zip(begins.Skip(1)), pair => Assert.True(pair.Second - pair.First >= 59, $"runs began at {string.Join(", ", begins)} ms"));
    }

    [Theory]
    [InlineData("""["a!","b!"]""", new[] { "a!", "b!" })]
    [InlineData("""[{"n":1},{"n":2}]""", new[] { """{"n":1}""", """{"n":2}""" })]
    [InlineData(""" "[\"a!\",\"b!\"]" """, new[] { "a!", "b!" })]
    [InlineData("""{"n":1}""", new[] { """{"n":1}""" })]
    [InlineData(""" "{\"n\":1}" """, new[] { "{\n  \"n\": 1\n}" })]
    [InlineData(""" "plain words" """, new[] { "plain words" })]
    [InlineData(""" "aGVsbG8h" """, new[] { "hello!" })]
    public async Task Output_OfTypeQueue_BecomesMessages(string output, string[] messages)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", $$"""{"body":{"Outputs":{"res":{"body":"ok"},"next": {{output}} ,"unknown":1} } }""").StartAsync();

        Assert.Equal("ok", await app.Client.GetStringAsync("api/order", Cancel));

        Assert.Equal(messages, await app.MessagesAsync("out", messages.Length));
    }

    [Fact]
    public async Task Output_IntoAFullQueue_FailsTheCallWith507()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Enveloped("Order", "order").Answer("Order", """{"body":{"Outputs":{"res":{"body":"ok"},"next":"a message that is longer than the limit!"}}}""");
        app.QueueLimitBytes = 60;
        await app.StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal(507, (int)response.StatusCode);
        Assert.Equal("storage-full", JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancel))!["code"]!.ToString());
    }

    [Fact]
    public async Task Output_Null_IsNoMessage()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", """{"body":{"Outputs":{"res":{"body":"ok"},"next":null}}}""").StartAsync();

        await app.Client.GetStringAsync("api/order", Cancel);

        Assert.Equal(0, app.Host.Queues.Open("out").Count);
    }

    [Fact]
    public async Task ReturnValue_OfTypeQueue_IsAMessage()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .Queue("Work", "work", """,{"type":"queue","direction":"out","name":"$return","queueName":"out"}""")
            .Answer("Work", """{"body":{"ReturnValue":{"n":1}}}""")
            .StartAsync();

        await app.SendAsync("work", "go");

        Assert.Equal(["""{"n":1}"""], await app.MessagesAsync("out", 1));
    }

    [Fact]
    public async Task Messages_OfAStoppedHost_AreThereAfterTheNextStart()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();
        await app.SendAsync("later", "kept");
        await app.StopAsync();

        app.Queue("Later", "later");
        await app.StartAsync();

        Assert.Equal("\"kept\"", (await app.InvocationsAsync("Later", 1))[0]["envelope"]!["Data"]!["job"]!.GetValue<string>());
    }

    private static async Task EmptyAsync(TestFunctionApp app, string queue)
    {
        while (app.Host.Queues.Open(queue).Count > 0)
        {
            await Task.Delay(10, Cancel);
        }
    }
}
