namespace Platform.ConformanceTests.Functions;

/// <summary>Expressions in the names of output queues.</summary>
public sealed class BindingExpressionTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("for-{customer.id}", """{"customer":{"id":"c7"}}""", "for-c7")]
    [InlineData("n-{count}", """{"count":42}""", "n-42")]
    [InlineData("x-{queueTrigger}", "plain", "x-plain")]
    [InlineData("{name}-{DequeueCount}", """{"name":"Abc"}""", "abc-1")]
    [InlineData("%PREFIX%-{sys.methodname}", "{}", "set-work")]
    public async Task QueueName_OfAnOutput_IsMadeFromTheMessage(string queueName, string message, string expected)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .With("PREFIX", "set")
            .Queue("Work", "inbox", $$""",{"type":"queue","direction":"out","name":"next","queueName":"{{queueName}}"}""")
            .Answer("Work", """{"body":{"Outputs":{"next":"made!"}}}""")
            .StartAsync();

        await app.SendAsync("inbox", message);

        Assert.Equal(["made!"], await app.MessagesAsync(expected, 1));
    }

    [Fact]
    public async Task QueueName_WithAGuidAndADate_IsNewForEachInvocation()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .Queue("Work", "inbox", """,{"type":"queue","direction":"out","name":"next","queueName":"q{DateTime:yyyy}-{rand-guid}"}""")
            .Answer("Work", """{"body":{"Outputs":{"next":"made!"}}}""")
            .StartAsync();

        await app.SendAsync("inbox", "a");
        await app.SendAsync("inbox", "b");
        while (app.Host.Queues.Names.Count(name => name.StartsWith("q20", StringComparison.Ordinal)) < 2)
        {
            await Task.Delay(10, Cancel);
        }

        Assert.All(app.Host.Queues.Names.Where(name => name.StartsWith("q20", StringComparison.Ordinal)), name => Assert.True(Guid.TryParse(name.AsSpan("q2026-".Length), out _)));
    }

    [Fact]
    public async Task QueueName_WithAValueThatIsNotThere_FailsTheInvocation()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .Queue("Work", "inbox", """,{"type":"queue","direction":"out","name":"next","queueName":"for-{customer}"}""")
            .Answer("Work", """{"body":{"Outputs":{"next":"made!"}}}""")
            .StartAsync();

        await app.SendAsync("inbox", "no json");

        Assert.Equal(["no json"], await app.MessagesAsync("inbox-poison", 1));
        Assert.Contains(app.Log, line => line.Contains("{customer}", StringComparison.Ordinal));
    }
}
