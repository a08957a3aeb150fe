"""PHP functions, classes, types and imports are lowered to the closed vocabulary."""

from __future__ import annotations

from bodies import golden, show, unit
from lowered_php import check, lowered

from flowaudit.scanner.facts import Import


def test_units_of_every_kind() -> None:
    check("""
        #[AsTask('push'), Once]
        function push(?Order $order, int|string &$id = 3, Item ...$items): ?bool {
            $send = function ($x) use (&$order) { yield $x => 1; return $this->id; };
            usort($items, static fn (Item $a, $b) => $a->n <=> $b->n);
            if (!$id) { function late() {} }
            return null;
        }
        """, """
        module
          pass
        @AsTask("push")
        @Once
        function push(order: (Order | null), id: (int | string) = 3, *items: Item) -> (bool | null)
          send = &push.<1>
          usort(items, &push.<2>)
          if (not id):
            late = &late
          return null
        closure push.<1>(x) in push [generator] hidden
          yield {x: 1}
          return self.id
        closure push.<2>(a: Item, b) in push [static] hidden
          return (a.n - b.n)
        function late()
          pass
        """, None)


def test_classes() -> None:
    check("""
        #[Entity]
        final class Order extends \\Shop\\Model implements Payable, HasId {
            use Locks, Logs { log as protected note; }
            const STATES = ['new'], MAX = 3;
            /** @var Client|null */
            protected $client;
            private static ?int $count = 0, $other;
            public string $full { get => $this->a . 'x'; }
            public function __construct(private readonly Gateway $gateway, protected int $n = 3, $plain = null) { parent::__construct(); }
            abstract protected function id(): static;
            private static function make(): self { return new class($x) extends Base { public function run() { return fn() => 1; } }; }
        }
        """, """
        @Entity
        class Order(Shop\\Model, Payable, HasId, Locks, Logs)
          STATES = ["new"]
          MAX = 3
          client: (Client | null) = ?
          count: (int | null) = 0
          other: (int | null) = ?
          full: string = ?
          gateway: Gateway = ?
          n: int = ?
        class Order.make.<1>(Base) hidden
        module
          pass
        method Order.full.get() in Order [property]
          return t"{self.a}x"
        method Order.__construct(gateway: Gateway, n: int = 3, plain = null) in Order
          self.gateway = gateway
          self.n = n
          super.__construct()
        method Order.id() -> cls in Order [abstract protected] hidden
          pass
        method Order.make() -> cls in Order [private static] hidden
          return new Order.make.<1>(x)
        method Order.make.<1>.run() in Order.make.<1>
          return &Order.make.<1>.run.<2>
        closure Order.make.<1>.run.<2>() in Order.make.<1>.run hidden
          return 1
        """, None)


def test_interfaces_traits_and_enums() -> None:
    check("""
        interface Payable extends A, B { const X = 1; public function pay(int $n): void; }
        trait Locks { private $lock = null; function lock() { $this->lock = 1; } }
        enum State: string implements HasLabel { use T; case Open = 'open'; case Done = 'done'; const DEFAULT = self::Open;
            public function label(): string { return ucfirst($this->value); } }
        enum Suit { case Hearts; }
        """, """
        interface Payable(A, B)
          X = 1
        trait Locks()
          lock = null
        enum State(HasLabel, T)
          Open = "open"
          Done = "done"
          DEFAULT = cls.Open
        enum Suit()
          Hearts = ?
        module
          pass
        method Payable.pay(n: int) -> void in Payable [abstract]
          pass
        method Locks.lock() in Locks
          self.lock = 1
        method State.label() -> string in State
          return ucfirst(self.value)
        """, None)


def test_doc_comments_give_types_where_none_is_written() -> None:
    facts = lowered("""
        <?php
        /**
         * Pushes.
         * @param Order|null $order
         * @param string[] $names
         * @param Wrong $typed
         * @return Collection<int, Order>
         * @throws PaymentFailed
         */
        function push($order, $names, Right $typed) {}
        // not one
        function bare($x) {}
        /** @property-read Cart $cart */
        class Shop {}
        """)
    assert show(facts) == golden("""
        class Shop()
        module
          pass
        function push(order: (Order | null), names: array, typed: Right) -> Collection
          pass
        function bare(x)
          pass
        """)
    assert "@throws PaymentFailed" in unit(facts, "push").comment
    assert unit(facts, "bare").comment == "// not one"
    assert [(name, show_type.id) for name, show_type in facts.classes[0].types] == [("cart", "Cart")]  # type: ignore[union-attr]


def test_imports_and_namespace() -> None:
    facts = lowered(r"""
        <?php
        namespace Shop\Order;
        use GuzzleHttp\Client as Http, \Psr\Log\LoggerInterface;
        use function Lib\retry;
        use const Lib\MAX as LIMIT;
        use Vendor\{Alpha, Sub\Beta as B, function gamma,};
        """)
    assert facts.module == "Shop\\Order"
    assert not facts.skipped
    assert [(i.alias, i.module, i.name) for i in facts.imports if isinstance(i, Import)] == [
        ("Http", "GuzzleHttp\\Client", None), ("LoggerInterface", "Psr\\Log\\LoggerInterface", None), ("retry", "Lib", "retry"),
        ("LIMIT", "Lib", "MAX"), ("Alpha", "Vendor\\Alpha", None), ("B", "Vendor\\Sub\\Beta", None), ("gamma", "Vendor", "gamma"),
    ]


def test_a_closure_is_named_by_its_byte_offset() -> None:
    text = "<?php /* é */ class A { function b() { return fn() => 1; } }"
    facts = lowered(text)
    assert show(facts, "A.b") == f"return &A.b.<{len(text.partition('fn()')[0].encode())}>"


def test_a_name_declared_twice_stays_unique() -> None:
    facts = lowered("<?php if ($old) { function f() { a(); } } else { function f() { b(); } }")
    assert [u.name for u in facts.units] == ["", "f", "f.<49>"]
    assert show(facts, "f") == "a()"


def test_namespace_block_is_module_code() -> None:
    check("namespace A { f(); class X {} } namespace B { g(); }", """
        f()
        g()
        """)
