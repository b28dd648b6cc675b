using System.Text.Json.Nodes;
using Platform.Functions.Hosting;

namespace Platform.UnitTests.Functions;

public sealed class FunctionAppWriterTests
{
    [Fact]
    public void Write_AnAssembly_MakesAFunctionFolderEachAndCompletesHostJson()
    {
        var folder = Directory.CreateTempSubdirectory("functions-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "host.json"), """{ /* hosts take comments */ "version":"2.0", }""");
            Directory.CreateDirectory(Path.Combine(folder, "Gone"));
            File.WriteAllText(Path.Combine(folder, "Gone", "function.json"), "{}");

            FunctionAppWriter.Write(typeof(FunctionAppWriterTests).Assembly, folder);

            Assert.False(Directory.Exists(Path.Combine(folder, "Gone")));
            var host = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "host.json")))!;
            Assert.Equal("Platform.UnitTests.dll", host["customHandler"]!["description"]!["arguments"]![0]!.GetValue<string>());
            var bindings = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "EchoAndSend", "function.json")))!["bindings"]!.AsArray();
            Assert.Equal(["httpTrigger in request", "http out res", "queue out next"], bindings.Select(binding => $"{binding!["type"]} {binding["direction"]} {binding["name"]}"));
            Assert.Equal("admin", bindings[0]!["authLevel"]!.GetValue<string>());
            Assert.Equal("made/{id}", bindings[0]!["route"]!.GetValue<string>());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

internal sealed class EchoAndSend
{
    [Function("EchoAndSend")]
    public static Answer Run([HttpTrigger(AuthorizationLevel.Admin, "post", Route = "made/{id}")] Microsoft.AspNetCore.Http.HttpRequest request, string id) =>
        new(Microsoft.AspNetCore.Http.Results.Text($"{request.Method} {id}"), [id]);

    internal sealed record Answer([property: HttpResult] Microsoft.AspNetCore.Http.IResult Response, [property: QueueOutput("next")] string[] Next);
}
