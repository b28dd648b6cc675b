using System.Net;
using System.Text;
using Platform.Dapr;
using Platform.Dapr.Http;

namespace Platform.UnitTests.Dapr;

/// <summary>Answers of a broker that takes only a part.</summary>
public sealed class DaprBulkPublisherTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_PartlyRefused_ReturnsTheEventsThatFailed()
    {
        var publisher = Publisher(500, """{"failedEntries":[{"entryId":"2","error":"full"},{"entryId":"0","error":"also"}],"errorCode":"ERR_PUBSUB_PUBLISH_MESSAGE"}""");

        var failures = await publisher.PublishEventsAsync("pubsub", "t", ["a", "b", "c"], DaprJson.Default.String, cancellationToken: Token);

        Assert.Equal([new BulkPublishFailure<string>("c", "full"), new BulkPublishFailure<string>("a", "also")], failures);
    }

    [Theory]
    [InlineData(500, """{"failedEntries":[{"entryId":"9","error":"full"}],"errorCode":"ERR_PUBSUB_PUBLISH_MESSAGE"}""", "ERR_PUBSUB_PUBLISH_MESSAGE")]
    [InlineData(500, """{"errorCode":"ERR_PUBSUB_PUBLISH_MESSAGE","message":"no"}""", "ERR_PUBSUB_PUBLISH_MESSAGE")]
    [InlineData(404, """{"errorCode":"ERR_PUBSUB_NOT_FOUND","message":"no","details":[{"reason":"x"}]}""", "ERR_PUBSUB_NOT_FOUND")]
    [InlineData(502, "not json", null)]
    public async Task Publish_RefusedAsAWhole_IsAFailureWithItsCode(int status, string body, string? code)
    {
        var publisher = Publisher(status, body);

        var e = await Assert.ThrowsAsync<DaprPublishException>(() => publisher.PublishEventsAsync("pubsub", "t", ["a"], DaprJson.Default.String, cancellationToken: Token));

        Assert.Equal((code, (HttpStatusCode)status, body), (e.ErrorCode, e.StatusCode, e.Body));
    }

    [Fact]
    public async Task Publish_OfNothing_SendsNothing() =>
        Assert.Empty(await Publisher(500, "").PublishEventsAsync("pubsub", "t", [], DaprJson.Default.String, cancellationToken: Token));

    private static DaprBulkPublisher Publisher(int status, string body) => new(new SidecarClient(new DaprOptions(), new Answering(status, body)));

    private sealed class Answering(int status, string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body, Encoding.UTF8, "application/json") });
    }
}
