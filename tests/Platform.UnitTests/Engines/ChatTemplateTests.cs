using System.Diagnostics;
using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Templates;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.UnitTests.Engines;

/// <summary>Chat templates in the manner of the families that we run, beside Hugging Face's own renderer.</summary>
public sealed class ChatTemplateTests
{
    private static readonly string Folder = Path.Combine(DemoModel.Repository, "tests", "node", "jinja");

    private static readonly Dictionary<string, string> Templates = new()
    {
        ["turns"] = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        ["headers"] = """
            {%- set loop_messages = messages %}
            {%- for message in loop_messages %}
                {%- set content = '<|h|>' + message.role + '<|/h|>\n\n' + message['content'] | trim + '<|eot|>' %}
                {%- if loop.index0 == 0 %}
                    {%- set content = bos_token ~ content %}
                {%- endif %}
                {{- content }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<|h|>assistant<|/h|>\n\n' }}
            {%- endif %}
            """,
        ["strict"] = "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set system = none %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if m.role == 'user' %}{{ '[INST] ' + (system + '\n\n' if loop.first and system is not none else '') + m.content.strip() + ' [/INST]' }}{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% else %}{{ raise_exception('Only user and assistant') }}{% endif %}{% endfor %}",
        ["blocks"] = """
            {# A comment, {{ not }} rendered. #}
            {% set ns = namespace(count=0, seen='') %}
            {% for message in messages %}
                {% if message.role in ['user', 'system'] and not message.content == '' %}
                    {% set ns.count = ns.count + 1 %}
                    {% set ns.seen = ns.seen ~ message.role | upper ~ ',' %}
              {{ message.role }}: {{ message.content | trim }}
                {% elif message.content is defined and message.content is string %}
            - {{ message['content'].split(' ')[-1] }} ({{ message.content | length }})
                {% else %}
            none
                {% endif %}
            {% endfor %}
            {{ ns.count }} of {{ messages | length }}: {{ ns.seen }}{{ missing | default('!') }}{{ undefined_name }}
            {% for i in range(2) %}{{ i }}{% endfor %}
            {{ "a'b" + 'c"d\n' }}{{ 'yes' if messages[-1].content.startswith('b') else 'no' }}
            """,
    };

    private static readonly ChatMessage[][] Chats =
    [
        [new("user", "hello")],
        [new("system", " be brief "), new("user", "  hello\n")],
        [new("user", "a"), new("assistant", "bye now"), new("user", "{{ c }} {% d %}")],
        [new("system", "s"), new("user", "a"), new("assistant", "b"), new("user", "")],
        [new("user", "a"), new("user", "b")],
    ];

    [Fact]
    public async Task Render_TemplatesOfManyKinds_IsWhatTheReferenceRenders()
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(Folder, "node_modules", "@huggingface", "jinja")), "npm package @huggingface/jinja is not installed: run npm ci in tests/node/jinja.");
        var cases = Templates.SelectMany(_ => Chats, (template, chat) => (template.Key, Template: template.Value, Chat: chat)).ToList();
        var expected = await ReferenceAsync(cases.Select(item => new { template = item.Template, values = Values(item.Chat) }));

        Assert.All(cases.Index(), item =>
        {
            var (template, chat) = (new JinjaTemplate(item.Item.Template), item.Item.Chat);
            if (expected[item.Index] is { } text)
            {
                Assert.Equal(text, template.Render(Ours(chat)));
            }
            else
            {
                Assert.True(Assert.Throws<TemplateException>(() => template.Render(Ours(chat))).IsRefusal);
            }
        });
        Assert.True(expected.Any(text => text is null), "Some chats are refused.");
    }

    [Fact]
    public void For_ModelWithATemplate_UsesIt_AndWritesTheFirstTokenOnce()
    {
        var tokenizer = TokenizerFile.Parse(RandomModel.ByteTokenizer());

        var template = ChatTemplate.For(tokenizer, Config(Templates["turns"]), out var reason);

        Assert.Null(reason);
        Assert.Equal("tokenizer_config.json", template.Name);
        Assert.EndsWith("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", template.Render(Chats[0]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% macro a() %}{% endmacro %}", "macro")]
    [InlineData("{{ messages | groupby('role') }}", "groupby")]
    [InlineData("{% for m in messages %}{{ m.content }}", "endfor")]
    [InlineData("{{ messages[0]['content'", "}}")]
    [InlineData("{{ messages }}", "written out")]
    public void For_TemplateThatIsNotInterpreted_FallsBackAndSaysWhy(string source, string why)
    {
        var template = ChatTemplate.For(TokenizerFile.Parse(RandomModel.ByteTokenizer()), Config(source), out var reason);

        Assert.Equal("plain", template.Name);
        Assert.Contains(why, reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"chat_template":5}""")]
    [InlineData("""{"chat_template":[{"name":"default"}]}""")]
    [InlineData("""{"chat_template":[5]}""")]
    [InlineData("""{"chat_template":"a","bos_token":{}}""")]
    [InlineData("""{"chat_template":"a","eos_token":7}""")]
    [InlineData("""{"chat_template":""")]
    public void For_FileThatIsNotWhatItShouldBe_FallsBackAndSaysWhy(string json)
    {
        var template = ChatTemplate.For(TokenizerFile.Parse(RandomModel.ByteTokenizer()), System.Text.Encoding.UTF8.GetBytes(json), out var reason);

        Assert.Equal("plain", template.Name);
        Assert.NotEmpty(reason!);
    }

    [Fact]
    public void Render_MessagesThatTheTemplateRefuses_IsTheCallersFault()
    {
        var template = ChatTemplate.For(TokenizerFile.Parse(RandomModel.ByteTokenizer()), Config(Templates["strict"]), out _);

        var fault = Assert.Throws<EngineException>(() => template.Render(Chats[4]));

        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
        Assert.Contains("Roles must alternate", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_AnyDamage_IsATemplateExceptionOrWorks()
    {
        var random = new Random(5);
        foreach (var source in Templates.Values)
        {
            for (var round = 0; round < 1500; round++)
            {
                var damaged = source.Remove(random.Next(source.Length), 1).Insert(random.Next(source.Length - 1), "{}%'|.[]()-+ax1 "[random.Next(16)].ToString());
                var fault = Record.Exception(() => new JinjaTemplate(damaged).Render(Ours(Chats[3])));
                Assert.True(fault is null or TemplateException, $"{damaged}\n{fault}");
            }
        }
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "brackets without end", "{{ " + new string('(', 200_000) + "1" + new string(')', 200_000) + " }}" },
        { "lists without end", "{{ " + new string('[', 200_000) + new string(']', 200_000) + " | length }}" },
        { "indices without end", "{{ " + string.Concat(Enumerable.Repeat("messages[", 200_000)) + " }}" },
        { "signs without end", "{{ " + new string('-', 200_000) + "1 }}" },
        { "negations without end", "{{ " + string.Concat(Enumerable.Repeat("not ", 200_000)) + "1 }}" },
        { "conditions without end", "{{ " + string.Concat(Enumerable.Repeat("1 if false else ", 200_000)) + "2 }}" },
        { "statements without end", string.Concat(Enumerable.Repeat("{% if true %}", 100_000)) + string.Concat(Enumerable.Repeat("{% endif %}", 100_000)) },
        { "loops within loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}" },
        { "a text that doubles", "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}" },
        { "a list that doubles", "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = ns.t + ns.t %}{% endfor %}" },
        { "a text for each character", "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(17) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{% set x = ns.t.replace('a', ns.t) %}" },
        { "a text between many", "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(17) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{% set x = range(99999) | join(ns.t) %}" },
        { "output without end", "{% for a in range(99999) %}{% for b in range(99999) %}aaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}{% endfor %}" },
    };

    /// <summary>A model's template is whatever its publisher wrote: it must not take the worker down with it.</summary>
    [Theory]
    [MemberData(nameof(Hostile))]
    public void For_TemplateThatWouldTakeTheStackTheMemoryOrForEver_FallsBackAndSaysWhy(string what, string source)
    {
        var template = ChatTemplate.For(TokenizerFile.Parse(RandomModel.ByteTokenizer()), Config(source), out var reason);

        Assert.Equal((what, "plain"), (what, template.Name));
        Assert.Contains(what.EndsWith("without end", StringComparison.Ordinal) && what[0] != 'o' ? "nested more than" : "than any chat needs", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Render_TheLongestChat_IsRendered()
    {
        var template = new JinjaTemplate(Templates["strict"]);
        var content = new string('x', 64 * 1024);
        var chat = Enumerable.Range(0, 64).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", content)).ToArray();

        Assert.InRange(template.Render(Ours(chat)).Length, 64 * content.Length, 65 * content.Length);
    }

    private static byte[] Config(string template) => JsonSerializer.SerializeToUtf8Bytes(new { chat_template = template, bos_token = "<s>", eos_token = new { content = "</s>" } });

    private static object Values(ChatMessage[] chat) => new { messages = chat.Select(message => new { role = message.Role, content = message.Content }), add_generation_prompt = true, bos_token = "<s>", eos_token = "</s>" };

    private static KeyValuePair<string, object?>[] Ours(ChatMessage[] chat) =>
    [
        new("messages", chat.Select(message => (object?)new Dictionary<string, object?> { ["role"] = message.Role, ["content"] = message.Content }).ToList()),
        new("add_generation_prompt", true),
        new("bos_token", "<s>"),
        new("eos_token", "</s>"),
    ];

    private static async Task<string?[]> ReferenceAsync(object cases)
    {
        using var node = Process.Start(new ProcessStartInfo("node", [Path.Combine(Folder, "render.mjs")]) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        await node.StandardInput.WriteAsync(JsonSerializer.Serialize(cases));
        node.StandardInput.Close();
        var output = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        return JsonSerializer.Deserialize<string?[]>(output)!;
    }
}
