using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local;
using static Platform.SystemTests.Jobs.JobsPlatform;

namespace Platform.SystemTests.Jobs;

/// <summary>Webhooks over real processes to real addresses: one that refuses at first, one that never answers.</summary>
[Collection(nameof(JobsPlatform))]
public sealed class WebhookTests(JobsPlatform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Webhook_RefusedAtFirst_IsDeliveredAgainWithTheSameIdAndAValidSignature()
    {
        using var address = new HttpListener();
        var url = $"http://127.0.0.1:{LoopbackPort.AnyFree()}/ended/";
        address.Prefixes.Add(url);
        address.Start();
        await platform.SubmitAsync(Shell("hooked", "true") with { Webhook = new JobWebhook { Url = url } }, Cancelled);

        var first = await ReceiveAsync(address, 500);
        var second = await ReceiveAsync(address, 204);

        await platform.UntilAsync("hooked", job => job.Webhook is { DeliveredAt: not null, Tries: 2 }, Cancelled);
        Assert.Equal(first.Id, second.Id);
        foreach (var (id, timestamp, signature, body) in new[] { first, second })
        {
            var key = Convert.FromBase64String(WebhookSecret["whsec_".Length..]);
            Assert.Equal("v1," + Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}"))), signature);
            var json = JsonNode.Parse(body)!;
            Assert.Equal(("job.succeeded", "hooked", "Succeeded"), ((string)json["type"]!, (string)json["data"]!["id"]!, (string)json["data"]!["state"]!));
        }
    }

    [Fact]
    public async Task Webhook_ThatNeverAnswers_IsGivenUpAndHoldsNobody()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/";

        var job = await platform.RunAsync(Shell("unheard", "true") with { Webhook = new JobWebhook { Url = url } }, Cancelled);
        var other = await platform.RunAsync(Shell("meanwhile", "true"), Cancelled);

        Assert.Equal((JobState.Succeeded, JobState.Succeeded), (job.State, other.State));
        await platform.UntilAsync("unheard", ended => ended.Webhook is { Tries: 3, NextAt: null, LastError: not null }, Cancelled);
        var webhook = (await platform.JobAsync("unheard", Cancelled)).Webhook!;
        Assert.Null(webhook.DeliveredAt);
        Assert.Equal("The address did not answer within 0.4 s.", webhook.LastError);
    }

    private static async Task<(string Id, string Timestamp, string Signature, string Body)> ReceiveAsync(HttpListener address, int status)
    {
        var context = await address.GetContextAsync().WaitAsync(TimeSpan.FromSeconds(60), Cancelled);
        using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
        var body = await reader.ReadToEndAsync(Cancelled);
        context.Response.StatusCode = status;
        context.Response.Close();
        return (context.Request.Headers["webhook-id"]!, context.Request.Headers["webhook-timestamp"]!, context.Request.Headers["webhook-signature"]!, body);
    }
}
