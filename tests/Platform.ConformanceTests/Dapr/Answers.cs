using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Requests and assertions as the sheet words them.</summary>
internal static class Answers
{
    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public static async Task<HttpResponseMessage> SendAsync(this HttpClient client, HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public static Task<string> TextAsync(this HttpResponseMessage response) => response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage response)
    {
        using var document = JsonDocument.Parse(await response.TextAsync());
        return document.RootElement.Clone();
    }

    public static async Task IsErrorAsync(this HttpResponseMessage response, int status, string code)
    {
        var text = await response.TextAsync();
        Assert.True((int)response.StatusCode == status, $"expected {status}, found {(int)response.StatusCode}: {text}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(code, JsonDocument.Parse(text).RootElement.GetProperty("errorCode").GetString());
    }

    public static async Task IsAsync(this HttpResponseMessage response, HttpStatusCode status, string? body = null)
    {
        var text = await response.TextAsync();
        Assert.True(response.StatusCode == status, $"expected {(int)status}, found {(int)response.StatusCode}: {text}");
        if (body is not null)
        {
            Assert.Equal(body, text);
        }
    }
}
