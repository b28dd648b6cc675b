using System.Net;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Checks 3 to 6 of the contract, and its traps about state.</summary>
public sealed class StateTests
{
    private const string Store = "v1.0/state/statestore";

    [Fact]
    public async Task Save_ThreeKeys_AreReadBackOneByOneAndInBulk()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"a","value":"text"},{"key":"b","value":{"n":1}},{"key":"c","value":7}]"""))).IsAsync(HttpStatusCode.NoContent, "");

        await (await dapr.SendAsync(HttpMethod.Get, Store + "/a")).IsAsync(HttpStatusCode.OK, "\"text\"");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/b?")).IsAsync(HttpStatusCode.OK, """{"n":1}""");
        var bulk = await (await dapr.SendAsync(HttpMethod.Post, Store + "/bulk", Answers.Json("""{"keys":["a","nobody","c"]}"""))).JsonAsync();
        Assert.Equal("""[{"key":"a","data":"text","etag":"1"},{"key":"nobody"},{"key":"c","data":7,"etag":"1"}]""", bulk.GetRawText());
        await (await dapr.SendAsync(HttpMethod.Delete, Store + "/a")).IsAsync(HttpStatusCode.NoContent, "");
        await (await dapr.SendAsync(HttpMethod.Delete, Store + "/a")).IsAsync(HttpStatusCode.NoContent, "");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/a")).IsAsync(HttpStatusCode.NoContent, "");
    }

    [Theory]
    [InlineData("""{"b":1,"a":2}""", """{"a":2,"b":1}""")]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("1.0", "1")]
    [InlineData("1e3", "1000")]
    [InlineData("1e21", "1e+21")]
    [InlineData("0.0000001", "1e-7")]
    [InlineData("0.000001", "0.000001")]
    [InlineData("123456789012345678901", "123456789012345680000")]
    [InlineData("-0.5", "-0.5")]
    [InlineData("\"<a&b>é\"", "\"\\u003ca\\u0026b\\u003eé\"")]
    [InlineData("[ 1 , null,true ]", "[1,null,true]")]
    [InlineData("\"cut \\ud83d\"", "\"cut \ufffd\"")]
    [InlineData("{\"\\ude00\":\"\\ud83d\\ude00\\\\ud83d\"}", "{\"\ufffd\":\"\ud83d\ude00\\\\ud83d\"}")]
    public async Task Save_Value_IsRewrittenAsGoDoes(string value, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json($$"""[{"key":"k","value":{{value}}}]"""));

        await (await dapr.SendAsync(HttpMethod.Get, Store + "/k")).IsAsync(HttpStatusCode.OK, expected);
    }

    [Fact]
    public async Task ETag_Stale_Is409AndNumeric_Is400()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":1}]"""));
        var etag = Assert.Single((await dapr.SendAsync(HttpMethod.Get, Store + "/k")).Headers.NonValidated["ETag"]);

        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json($$"""[{"key":"k","value":2,"etag":"{{etag}}"}]"""))).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json($$"""[{"key":"k","value":3,"etag":"{{etag}}"}]"""))).IsErrorAsync(409, "ERR_STATE_SAVE");
        await (await dapr.SendAsync(HttpMethod.Delete, Store + "/k?concurrency=first-write", null, ("If-Match", etag))).IsErrorAsync(409, "ERR_STATE_DELETE");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":3,"options":{"concurrency":"first-write"}}]"""))).IsErrorAsync(409, "ERR_STATE_SAVE");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":3,"etag":1}]"""))).IsErrorAsync(400, "ERR_MALFORMED_REQUEST");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":3,"etag":"x"}]"""))).IsErrorAsync(400, "ERR_STATE_SAVE");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/k")).IsAsync(HttpStatusCode.OK, "2");
    }

    [Fact]
    public async Task Transaction_WithOneStaleETag_AppliesNothing()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"old","value":1}]"""));

        await (await dapr.SendAsync(HttpMethod.Post, Store + "/transaction", Answers.Json(
            """{"operations":[{"operation":"upsert","request":{"key":"new","value":2}},{"operation":"delete","request":{"key":"old","etag":"99"}}]}"""))).IsErrorAsync(500, "ERR_STATE_TRANSACTION");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/new")).IsAsync(HttpStatusCode.NoContent);

        await (await dapr.SendAsync(HttpMethod.Put, Store + "/transaction", Answers.Json(
            """{"operations":[{"operation":"upsert","request":{"key":"new","value":2}},{"operation":"delete","request":{"key":"old"}}],"metadata":null}"""))).IsAsync(HttpStatusCode.NoContent, "");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/new")).IsAsync(HttpStatusCode.OK, "2");
        await (await dapr.SendAsync(HttpMethod.Get, Store + "/old")).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Put, Store + "/transaction", Answers.Json("""{"operations":[{"operation":"move","request":{"key":"new"}}]}"""))).IsErrorAsync(400, "ERR_NOT_SUPPORTED_STATE_OPERATION");
    }

    [Fact]
    public async Task TimeToLive_IsToldAndEndsTheKey()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":1,"metadata":{"ttlInSeconds":"1"}}]"""));

        var before = await dapr.SendAsync(HttpMethod.Get, Store + "/k");
        await before.IsAsync(HttpStatusCode.OK, "1");
        Assert.True(before.Headers.Contains("metadata.ttlExpireTime"));

        while ((await dapr.SendAsync(HttpMethod.Get, Store + "/k")).StatusCode == HttpStatusCode.OK)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":1,"metadata":{"ttlInSeconds":1}}]"""))).IsErrorAsync(400, "ERR_MALFORMED_REQUEST");
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("0")]
    public async Task TimeToLive_OfNothing_TakesAnEarlierOneAway(string seconds)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":1,"metadata":{"ttlInSeconds":"100"}}]"""));
        var told = Assert.Single((await dapr.SendAsync(HttpMethod.Get, Store + "/k")).Headers.GetValues("metadata.ttlExpireTime"));
        var inBulk = await (await dapr.SendAsync(HttpMethod.Post, Store + "/bulk", Answers.Json("""{"keys":["k"]}"""))).JsonAsync();
        Assert.Equal(told, inBulk[0].GetProperty("metadata").GetProperty("ttlExpireTime").GetString());

        await (await dapr.SendAsync(HttpMethod.Post, $"{Store}?metadata.ttlInSeconds={seconds}", Answers.Json("""[{"key":"k","value":2,"metadata":{"ttlInSeconds":"100"}}]"""))).IsAsync(HttpStatusCode.NoContent);

        var after = await dapr.SendAsync(HttpMethod.Get, Store + "/k");
        await after.IsAsync(HttpStatusCode.OK, "2");
        Assert.False(after.Headers.Contains("metadata.ttlExpireTime"));
    }

    [Fact]
    public async Task Errors_AreDaprs()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/state/nobody/k")).IsErrorAsync(400, "ERR_STATE_STORE_NOT_FOUND");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("{"))).IsErrorAsync(400, "ERR_MALFORMED_REQUEST");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"value":1}]"""))).IsErrorAsync(400, "ERR_MALFORMED_REQUEST");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"a||b","value":1}]"""))).IsErrorAsync(400, "ERR_MALFORMED_REQUEST");
        await (await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("[]"))).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Patch, Store, Answers.Json("[]"))).IsErrorAsync(404, "ERR_DIRECT_INVOKE");

        await using var bare = await TestCluster.OpenAsync(components: "");
        using var none = await bare.StartCallerAsync();
        await (await none.SendAsync(HttpMethod.Get, Store + "/k")).IsErrorAsync(500, "ERR_STATE_STORE_NOT_CONFIGURED");
    }

    [Fact]
    public async Task Keys_WithSlashesAndPlus_AreDecodedAsForms()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"a/b c","value":1}]"""));

        await (await dapr.SendAsync(HttpMethod.Get, Store + "/a%2Fb+c")).IsAsync(HttpStatusCode.OK, "1");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0//state/statestore/a%2Fb%20c/")).IsAsync(HttpStatusCode.OK, "1");
    }

    [Fact]
    public async Task Apps_DoNotSeeEachOthersKeys_UnlessThePrefixSaysSo()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + """

            ---
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: shared }
            spec:
              type: state.in-memory
              metadata: [{ name: keyPrefix, value: none }]
            """);
        using var first = await cluster.StartCallerAsync("first");
        using var second = await cluster.StartCallerAsync("second");

        await first.SendAsync(HttpMethod.Post, Store, Answers.Json("""[{"key":"k","value":1}]"""));
        await first.SendAsync(HttpMethod.Post, "v1.0/state/shared", Answers.Json("""[{"key":"k","value":1}]"""));

        await (await second.SendAsync(HttpMethod.Get, Store + "/k")).IsAsync(HttpStatusCode.NoContent);
        await (await second.SendAsync(HttpMethod.Get, "v1.0/state/shared/k")).IsAsync(HttpStatusCode.OK, "1");
    }
}
