using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Platform.Local;

namespace Platform.ConformanceTests.Functions;

/// <summary>Check 20: the same folder under Azure Functions Core Tools answers as it does under our host. Skipped, with the reason, where there is no <c>func</c>.</summary>
[Trait("Needs", "func")]
public sealed class FuncTests
{
    private static readonly (string Verb, string Path, string? Body)[] Calls =
    [
        ("GET", "api/echo/a%20b?x=1&code=abc", null),
        ("PATCH", "api/echo/x?status=418", "body"),
        ("POST", "api/binary", "bytes"),
        ("GET", "api/redirect", null),
        ("GET", "api/item/7", null),
        ("GET", "api/item/seven", null),
        ("DELETE", "api/item/7", null),
        ("GET", "api/none", null),
        ("POST", "api/order?x=1", """{"color":"red"}"""),
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Folder_UnderFunc_AnswersAsUnderOurHost()
    {
        TestFunctionApp.NeedsNode();
        var func = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "func")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(func is null, "func (Azure Functions Core Tools 4.x) is not on the PATH; every other test of this suite ran against the embedded host.");
        await using var app = await new TestFunctionApp()
            .Raw("Echo", "echo/{*rest}").Raw("Binary", "binary").Raw("Redirect", "redirect").Raw("Item", "item/{id:int}", "\"get\"")
            .Function("Order", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","route":"order"}]}""")
            .StartAsync();
        var ours = await AskAsync(app.Client);
        await app.StopAsync();

        var port = LoopbackPort.AnyFree();
        using var host = Process.Start(new ProcessStartInfo(func!, ["start", "--port", $"{port}"])
        {
            WorkingDirectory = app.AppRoot,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { ["FUNCTIONS_WORKER_RUNTIME"] = "custom", ["FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT"] = "1" },
        })!;
        try
        {
            _ = host.StandardOutput.ReadToEndAsync(Cancel);
            using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
            while (!await AnswersAsync(client))
            {
                await Task.Delay(100, Cancel);
            }

            TestContext.Current.SendDiagnosticMessage("The host under test is " + func);
            Assert.Equal(ours, await AskAsync(client));
            Assert.Equal("Running", (await client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!["state"]!.ToString());
        }
        finally
        {
            host.Kill(entireProcessTree: true);
        }
    }

    private static async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync("api/echo/ready", Cancel);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>Status, and of the echoed request what both hosts must pass on alike.</summary>
    private static async Task<IReadOnlyList<string>> AskAsync(HttpClient client)
    {
        var answers = new List<string>();
        foreach (var (verb, path, body) in Calls)
        {
            using var request = new HttpRequestMessage(new HttpMethod(verb), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
            using var response = await client.SendAsync(request, Cancel);
            var text = await response.Content.ReadAsStringAsync(Cancel);
            var echo = path.StartsWith("api/echo", StringComparison.Ordinal) ? JsonNode.Parse(text)! : null;
            answers.Add($"{verb} {path}: {(int)response.StatusCode} {response.Headers.Location} {(echo is null ? response.StatusCode == HttpStatusCode.OK ? text : "" : $"{echo["method"]} {echo["url"]} {echo["body"]}")}");
        }

        return answers;
    }
}
