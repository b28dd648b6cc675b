using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.UnitTests;

namespace Platform.SystemTests;

/// <summary>A disk without room under the whole state folder: clear refusals, nothing acknowledged lost, and all well again once there is room.</summary>
public sealed class FullDiskTests
{
    [Fact]
    public async Task FullDisk_RefusesClearlyAndLosesNothingAcknowledged()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var disk = SmallDisk.MountOrSkip(192);
        var home = disk["home"];
        await using var up = await PlatformProcess.UpAsync(home, cancellationToken);
        using var http = new HttpClient { BaseAddress = PlatformProcess.UrlOf(home) };
        await using var push = await PlatformProcess.RunAsync(cancellationToken, "models", "push", RunningPlatform.DemoModel, "--name", "demo", "--home", home);
        Assert.True(push.ExitCode == 0, push.Everything());
        await SubmitUntilAcceptedAsync(http, "before", cancellationToken);

        var ballast = disk.Fill();
        await using var pushFull = await PlatformProcess.RunAsync(cancellationToken, "models", "push", RunningPlatform.DemoModel, "--name", "another", "--home", home);
        Assert.Equal(1, pushFull.ExitCode);
        Assert.Contains("space", pushFull.Everything(), StringComparison.OrdinalIgnoreCase);
        var acknowledged = new List<string> { "before" };
        var refusals = new List<(int Status, string Body)>();
        for (var i = 0; i < 20; i++)
        {
            var (status, body) = await SubmitAsync(http, $"full-{i}", cancellationToken);
            if (status == 202)
            {
                acknowledged.Add($"full-{i}");
            }
            else
            {
                refusals.Add((status, body));
            }
        }

        Assert.All(refusals, refusal => Assert.True(JsonNode.Parse(refusal.Body)!["code"] is not null, $"{refusal.Status} {refusal.Body}"));

        File.Delete(ballast);
        await SubmitUntilAcceptedAsync(http, "after", cancellationToken);
        acknowledged.Add("after");
        foreach (var id in acknowledged)
        {
            await RunningPlatform.UntilAsync(
                async () => (string?)JsonNode.Parse(await http.GetStringAsync(new Uri($"api/jobs/{id}", UriKind.Relative), cancellationToken))!["state"] == nameof(JobState.Succeeded),
                $"job {id}",
                cancellationToken);
        }
    }

    private static async Task<(int Status, string Body)> SubmitAsync(HttpClient http, string id, CancellationToken cancellationToken)
    {
        var spec = new JsonObject { ["id"] = id, ["kind"] = JobKinds.BatchInfer, ["model"] = "demo", ["prompts"] = new JsonArray("One day"), ["maxTokens"] = 4, ["maxAttempts"] = 100 };
        using var answer = await http.PostAsync(new Uri("api/jobs", UriKind.Relative), new StringContent(spec.ToJsonString(), System.Text.Encoding.UTF8, "application/json"), cancellationToken);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellationToken));
    }

    private static Task SubmitUntilAcceptedAsync(HttpClient http, string id, CancellationToken cancellationToken) =>
        RunningPlatform.UntilAsync(async () => (await SubmitAsync(http, id, cancellationToken)).Status == 202, $"job {id} to be accepted", cancellationToken);
}
